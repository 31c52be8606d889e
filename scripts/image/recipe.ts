/** How containers of the image are started; the Dockerfile says the same. */
export const settings = {
  user: '65532:65532',
  workingDirectory: '/',
  entrypoint: ['node', '/app/lockkeeper.js'],
  environment: {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    NODE_ENV: 'production',
    SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt',
  },
  labels: {
    'org.opencontainers.image.title': 'lockkeeper',
    'org.opencontainers.image.description':
      "Keeps the operating systems of a Kubernetes cluster's nodes up to date, one node at a time, for Bottlerocket.",
    'org.opencontainers.image.licenses': 'Apache-2.0',
  },
} as const;

/** Users and groups by name; Kubernetes itself goes by the number. */
export const accounts = {
  passwd:
    'root:x:0:0:root:/nonexistent:/nonexistent\n' +
    'nobody:x:65534:65534:nobody:/nonexistent:/nonexistent\n' +
    'nonroot:x:65532:65532:nonroot:/nonexistent:/nonexistent\n',
  group: 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n',
} as const;

/** Without it, glibc asks DNS before /etc/hosts. */
export const nameServiceSwitch = 'hosts: files dns\n';

/** The name that the archive carries, and by which it can be used once it has been imported. */
export const imageName = (version: string): string => `localhost/lockkeeper:${version}`;

/** What the image is made of, as CycloneDX: where it lies in the image. */
export const sbomFile = 'app/sbom.cdx.json';
