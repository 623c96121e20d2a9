/** The TLS of this version's ingress and of its deliveries, as `node test/support/conformance.ts` measured it. */
import type { MeasuredFacts } from './facts.ts'

export const recordedFacts: MeasuredFacts = {
  server: {
    versions: ['TLSv1.2', 'TLSv1.3'],
    suites: {
      tls12: [
        'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
        'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
        'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
        'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      ],
      tls13: ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256'],
    },
    groups: {
      tls12: ['x25519', 'secp256r1', 'secp384r1'],
      tls13: ['X25519MLKEM768', 'x25519', 'secp256r1', 'secp384r1'],
    },
    serverOrderDecides: true,
    dhBits: 0,
    weakSignatures: [],
    hello: {
      compression: false,
      extensions: [65281, 11, 23],
    },
    clientRenegotiation: 'Refused',
    ticket: {
      lifetimeSeconds: 3600,
      maxEarlyDataOctets: 0,
    },
    certificate: {
      keys: ['prime256v1'],
      signatures: ['ecdsa-with-SHA256'],
      isTrusted: true,
      hasName: true,
      lifetimeDays: 31,
      namesOcspResponder: false,
      isStapled: false,
    },
  },
  client: {
    versions: {
      byDefault: ['TLSv1.3', 'TLSv1.2'],
      tls13Required: ['TLSv1.3'],
    },
    suites: [
      'TLS_AES_256_GCM_SHA384',
      'TLS_AES_128_GCM_SHA256',
      'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
      'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
      'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
      'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      'TLS_DHE_RSA_WITH_AES_256_GCM_SHA384',
      'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256',
    ],
    groups: ['X25519MLKEM768', 'x25519', 'secp256r1', 'secp384r1'],
    signatures: [
      2309, 2310, 2308, 1027, 1283, 1539, 2055, 2056, 2074, 2075, 2076, 2057, 2058, 2059, 2052, 2053, 2054,
      1025, 1281, 1537,
    ],
    compressionMethods: [0],
    extensions: [65281, 0, 11, 10, 35, 22, 23, 13, 43, 45, 51],
    verification: {
      good: null,
      untrusted: '4.7.320',
      otherName: '4.7.325',
    },
  },
}
