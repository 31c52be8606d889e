import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Bed } from './bed.ts';

/** How a webhook refuses: a Status as it goes into the AdmissionReview; undefined lets the request pass. */
export type WebhookAnswer = { code?: number; reason?: string; message?: string } | undefined;

/** Somebody's admission webhook, on an HTTPS server of the test's own. */
export interface AdmissionWebhook {
  /** The name of its ValidatingWebhookConfiguration, and of the webhook in it. */
  readonly name: string;
  answer: WebhookAnswer;
  /** How many requests it was asked about. */
  readonly asked: number;
  /** Takes the configuration away, and the server. */
  close(): Promise<void>;
}

/** Registers a validating webhook, which fails closed, for the evictions of one namespace. Close its server to have it down. */
export async function refuseEvictions(bed: Bed, name: string, namespace: string): Promise<AdmissionWebhook & { down(): Promise<void> }> {
  const { caFile, keyFile } = bed.controlPlane;
  const [cert, key] = await Promise.all([readFile(caFile, 'utf8'), readFile(keyFile, 'utf8')]);
  let asked = 0;
  const server = createServer({ cert, key }, (request, response) => {
    request
      .toArray()
      .then((chunks) => {
        const { request: review } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { request: { uid: string } };
        asked += 1;
        const { answer } = webhook;
        const verdict = answer === undefined ? { allowed: true } : { allowed: false, status: answer };
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: review.uid, ...verdict } }),
        );
      })
      .catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
  const down = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const webhook = {
    name,
    answer: undefined as WebhookAnswer,
    get asked() {
      return asked;
    },
    down,
    async close() {
      await bed.client.delete(`${path}/${name}`);
      await down();
    },
  };
  await bed.client.create(path, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name,
        clientConfig: {
          url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
          caBundle: Buffer.from(cert).toString('base64'),
        },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods/eviction'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        failurePolicy: 'Fail',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: 5,
      },
    ],
  });
  return webhook;
}
