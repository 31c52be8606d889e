/**
 * The API server's certificate as a cluster has it that is not of today: from 2020 to 2119, for `localhost`, the bed's gateway
 * and the service. For tests alone: its key is as public as this file.
 */
export const oldCertificate = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeO7OVqoXG4WIFsSc
3L61vyyY6PTGqVeKKuyyLTEhnlShRANCAARtgUvzYRfM52TkHSbqjknhATkmBj8o
DU8CokoN2sOzbMXhi5Q9DX/aVb8ceoJkzbKmma5vB0mwop9n7dqNQfg3
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBszCCAVqgAwIBAgIUfC0RS1dBQWEUaq6noHGK8xC55GkwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDYmVkMCAXDTIwMDEwMTAwMDAwMFoYDzIxMTkxMjA4MDAwMDAw
WjAOMQwwCgYDVQQDDANiZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARtgUvz
YRfM52TkHSbqjknhATkmBj8oDU8CokoN2sOzbMXhi5Q9DX/aVb8ceoJkzbKmma5v
B0mwop9n7dqNQfg3o4GTMIGQMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFIZ7
b9JNEP+uFk8lpeh0cYL6D8PrMF4GA1UdEQRXMFWCCWxvY2FsaG9zdIIKa3ViZXJu
ZXRlc4ISa3ViZXJuZXRlcy5kZWZhdWx0ghZrdWJlcm5ldGVzLmRlZmF1bHQuc3Zj
hwR/AAABhwQKYAABhwQKTQABMAoGCCqGSM49BAMCA0cAMEQCIA2tAEqym8SalvNG
seQ8jvyEE/tQ0h10TMrr9Rkw7ZUWAiAE+COy8VL0jKMOasnPZneOzm7UTOlxOqa7
3D5Ik2d2gA==
-----END CERTIFICATE-----
`,
};
