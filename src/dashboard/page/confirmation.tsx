import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ActionRequest, ActionResult } from '../wire.ts';
import type { Api } from './api.ts';
import { Failure } from './parts.tsx';
import { type Asked, asked, notice } from './state.ts';
import { inWords } from './use-answer.ts';

interface Question {
  preview?: readonly ActionResult[];
  failure?: string;
  writing?: true;
}

/** Says exactly what an action would write and what would come of it, and does it once the person agrees. */
export function Confirmation({ api }: { api: Api }) {
  return asked.value === undefined ? null : <Dialog key={JSON.stringify(asked.value)} about={asked.value} api={api} />;
}

function Dialog({ about: { offer, kind, name }, api }: { about: Asked; api: Api }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const question = useSignal<Question>({});
  const request: ActionRequest = { verb: offer.verb, targets: [{ kind, name }], ...(offer.now === true && { now: true }) };
  useEffect(() => {
    dialog.current?.showModal();
    api.act({ ...request, preview: true }).then(
      ({ results }) => {
        question.value = { preview: results };
      },
      (error: unknown) => {
        question.value = { failure: inWords(error) };
      },
    );
  }, []);
  const confirm = async (): Promise<void> => {
    question.value = { ...question.value, writing: true };
    try {
      const { results } = await api.act({ ...request, confirmed: true });
      notice.value = { tone: 'done', text: results.map(({ did, next }) => (next === undefined ? did : `${did}: ${next}`)).join('\n') };
      dialog.current?.close();
    } catch (error) {
      const { preview } = question.value;
      question.value = { ...(preview !== undefined && { preview }), failure: inWords(error) };
    }
  };
  const { preview, failure, writing } = question.value;
  const writes = preview?.some(({ written }) => Object.keys(written).length > 0) === true;
  return (
    <dialog
      ref={dialog}
      aria-labelledby="question"
      onClose={() => {
        asked.value = undefined;
      }}
    >
      <h2 id="question">
        {offer.label}: {kind === 'policy' ? 'policy' : 'node'} {name}?
      </h2>
      {preview === undefined && failure === undefined && <p class="quiet">Asking what that would do …</p>}
      {preview?.map((result) => (
        <Preview key={`${result.kind} ${result.name}`} result={result} />
      ))}
      {failure !== undefined && <Failure>{failure}</Failure>}
      <div class="dialog-foot">
        <button type="button" class="button" onClick={() => dialog.current?.close()}>
          {writes ? 'Cancel' : 'Close'}
        </button>
        {writes && (
          <button type="button" class="button primary" disabled={writing === true} onClick={() => void confirm()}>
            {writing === true ? 'Writing …' : offer.label}
          </button>
        )}
      </div>
    </dialog>
  );
}

function Preview({ result: { kind, name, written, did, next, asks } }: { result: ActionResult }) {
  const annotations = Object.entries(written);
  if (annotations.length === 0) return <p>{did}</p>;
  return (
    <>
      <p class="quiet">What is written, on the {kind === 'policy' ? `UpdatePolicy ${name}` : `NodeUpdate ${name}`}, and nothing else:</p>
      <ul class="written">
        {annotations.map(([key, value]) => (
          <li key={key}>
            {value === null ? (
              <>
                <code>{key}</code> is removed
              </>
            ) : (
              <code>
                {key}: {JSON.stringify(value)}
              </code>
            )}
          </li>
        ))}
      </ul>
      <p class="quiet">What comes of it:</p>
      <p>
        {did}
        {next !== undefined && `: ${next}`}
      </p>
      {asks !== undefined && <p class="asks">{asks}</p>}
    </>
  );
}
