import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findIn } from './find-program.ts';

const folders = ['/usr/local/bin', '/usr/bin', '/snap/bin', '/Applications/Google Chrome.app/Contents/MacOS'];
const programs = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'Google Chrome'];

/** For what a test waits for; less than a test's own time, so that it says what it has waited for. */
const PATIENCE_MS = 20_000;

/** There is no browser here; the message says how to get one. */
export class BrowserMissingError extends Error {
  override readonly name = 'BrowserMissingError';
  constructor() {
    super(`Chromium is missing (looked for ${programs.join(', ')}): \`make bed-deps\` installs it on Debian`);
  }
}

/** Where Chromium is; undefined where it is not installed. */
export const chromiumPath = (): Promise<string | undefined> => findIn(folders, ...programs);

/** Starts Chromium without a window. @throws BrowserMissingError */
export async function startBrowser(): Promise<Browser> {
  const executablePath = await chromiumPath();
  if (executablePath === undefined) throw new BrowserMissingError();
  // As root, as in a container, Chromium has no sandbox of its own.
  const args = process.geteuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...args, '--disable-dev-shm-usage'] });
}

/** A page that remembers what went wrong in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors on the console (violations of the content security policy are some), uncaught ones, and requests to other origins. */
  readonly faults: readonly string[];
}

/** Opens a URL in a profile of its own. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const page = await browser.newPage(options);
  const { origin } = new URL(url);
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`request: ${request.url()}`);
  });
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(url);
  return { page, faults };
}
