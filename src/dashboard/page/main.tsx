import { render } from 'preact';
import { readEvents } from './events.ts';

const KEY = 'token';
// The token comes in the fragment, which no server sees, and does not stay where people copy addresses from.
const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given !== null) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, '', location.pathname);
}
const root = document.getElementById('app');
const show = (text: string): void => {
  if (root !== null) render(<pre>{text}</pre>, root);
};
readEvents(sessionStorage.getItem(KEY) ?? '', (event) => show(JSON.stringify(event, undefined, 2)), new AbortController().signal).catch(
  (error: unknown) => show(String(error)),
);
