/** What a route answers. `text` goes out without a Content-Type unless one is named; `stray` is written after the answer. */
export interface Answer {
  status: number;
  text?: string;
  json?: unknown;
  contentType?: string;
  stray?: string;
  /** Ends the connection in the middle of the body. */
  cutOff?: boolean;
  /** Ends the connection after the answer, whatever the client is still sending. */
  closes?: boolean;
  /** Ends the connection instead of answering. */
  dropped?: boolean;
  /** Runs once the answer is on its way, or its receiver gone. */
  afterwards?: () => void;
}

/** The path and method are not known: the one 404 without a text. */
export const notFound: Answer = { status: 404 };

export const done: Answer = { status: 204 };

/** What the web framework says by itself carries a Content-Type, unlike the server's own errors. */
export const frameworkRefusal = (status: number, text: string): Answer => ({ status, text, contentType: 'text/plain; charset=utf-8' });
