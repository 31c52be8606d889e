import manifest from '../package.json' with { type: 'json' };

/** Version of this build, as the package's manifest has it. */
export const VERSION: string = manifest.version;
