/** Why mailflow does not meet some criteria. */

const brainpool =
  'Only this guideline requires brainpoolP256r1; secp256r1 is offered. Node.js 24 may crash at a certificate on such a curve.'

/** Criteria that mailflow does not meet, each with its reason. */
export const deviations: Readonly<Record<string, string>> = {
  'groups-bsi':
    'Mozilla and internet.nl permit X25519; its hybrid with ML-KEM protects recorded mail from quantum computers.',
  'groups-bsi-required': brainpool,
  'client-suites-cbc':
    'Without authenticated encryption; internet.nl wants servers to phase these suites out.',
  'client-groups-required': brainpool,
  'client-certificate-status':
    'A connector can have deliveries check revocation: they fetch CRLs and OCSP responses themselves.',
}
