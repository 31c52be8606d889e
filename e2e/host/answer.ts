/** What a route answers. `text` goes out without a Content-Type unless one is named; `stray` is written after the answer. */
export interface Answer {
  status: number;
  text?: string;
  json?: unknown;
  contentType?: string;
  stray?: string;
  /** Ends the connection instead of answering. */
  dropped?: boolean;
  /** Runs once the answer is on its way. */
  afterwards?: () => void;
}

/** The path and method are not known: the one 404 without a text. */
export const notFound: Answer = { status: 404 };

export const done: Answer = { status: 204 };
