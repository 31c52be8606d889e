import manifest from '../../package.json' with { type: 'json' };
import { COMPONENT_LABEL, PART_OF } from '../../src/api/names.ts';

/** Where everything that has a namespace is installed. */
export const namespace = 'lockkeeper';
/** To be replaced by the image's full name, with its registry. */
export const image = `lockkeeper:${manifest.version}`;

type Component = 'controller' | 'agent';

const name = { 'app.kubernetes.io/name': 'lockkeeper', [PART_OF.key]: PART_OF.value };

/** Labels of our pods, by which they are also selected. */
export const podLabels = (component: Component) => ({ ...name, [COMPONENT_LABEL]: component });

/** Metadata of an object without a namespace. */
export const metadata = (objectName: string, component?: Component) => ({
  name: objectName,
  labels: { ...name, 'app.kubernetes.io/version': manifest.version, ...(component !== undefined && { [COMPONENT_LABEL]: component }) },
});

/** Metadata of an object in our namespace. */
export const namespaced = (objectName: string, component?: Component) => ({ ...metadata(objectName, component), namespace });

/** What a container of ours may do on its machine. */
export const nothingOfItsMachine = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };
