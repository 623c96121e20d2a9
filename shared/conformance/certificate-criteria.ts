/** The criteria for the certificates that a server presents. Pure. */
import { isKeyOf } from './allowed.ts'
import {
  bsiProjects,
  bsiTls,
  type Criterion,
  ifMeasured,
  internetNl,
  metIf,
  metIfNone,
  mozilla,
  nist,
  notApplicable,
} from './criterion.ts'
import type { CertificateConformanceFacts, TlsServerFacts } from './facts.ts'

const method = 'handshake, and the chain that the server presents'

const certificateCriterion = (
  criterion: Omit<Criterion<CertificateConformanceFacts>, 'method'>,
): Criterion<TlsServerFacts> => ({
  ...criterion,
  method,
  assess: ({ certificate }) => ifMeasured(certificate, criterion.assess),
})

const keysWithout =
  (isPermitted: (key: string) => boolean) =>
  ({ keys }: CertificateConformanceFacts) =>
    metIfNone(
      keys.filter((key) => !isPermitted(key)),
      keys.join(', '),
    )

export const certificateCriteria: readonly Criterion<TlsServerFacts>[] = [
  certificateCriterion({
    id: 'certificate-key',
    requirement: 'Keys of the chain: RSA of at least 2048 bits, or a curve of at least 256 bits',
    references: [internetNl('public key', 'must'), nist('§3.2', 'must'), mozilla('rsa_key_size', 'should')],
    assess: keysWithout(isKeyOf(2048)),
    advice: 'Get a certificate with an ECDSA key on P-256',
  }),
  certificateCriterion({
    id: 'certificate-key-3000',
    requirement: 'RSA keys of the chain have at least 3000 bits',
    references: [bsiTls('§3.6.1', 'must'), internetNl('public key (3072 bits)', 'should')],
    assess: keysWithout(isKeyOf(3000)),
    advice:
      'Get a certificate with an ECDSA key on P-256, or an RSA key of 3072 bits, from such an authority',
  }),
  certificateCriterion({
    id: 'certificate-signature',
    requirement: 'The certificates are signed with SHA-256 or better',
    references: [
      internetNl('certificate signature', 'must'),
      nist('§3.2', 'must'),
      mozilla('certificate_signatures', 'should'),
    ],
    assess: ({ signatures }) =>
      metIfNone(
        signatures.filter((name) => /md5|sha-?1\b|sha-?224|sha1With/i.test(name)),
        signatures.join(', '),
      ),
    advice: 'Have the certificate reissued',
  }),
  certificateCriterion({
    id: 'certificate-trust',
    requirement: 'A public authority issued the certificate',
    references: [bsiProjects('profile CERTIFIED_CA', 'should'), internetNl('trust chain', 'optional')],
    assess: ({ isTrusted }) => metIf(isTrusted, isTrusted ? 'trusted' : 'not trusted'),
    advice: 'See `npx mailflow check HOST`',
  }),
  certificateCriterion({
    id: 'certificate-name',
    requirement: 'The certificate has the name of the host',
    references: [nist('§3.2', 'must'), internetNl('domain name', 'optional')],
    assess: ({ hasName }) => metIf(hasName, hasName ? 'has the name' : 'does not have the name'),
    advice: 'Get a certificate with the name of the MX host',
  }),
  certificateCriterion({
    id: 'certificate-lifetime',
    requirement: 'The certificate is valid for at most 366 days',
    references: [mozilla('maximum_certificate_lifespan', 'should')],
    assess: ({ lifetimeDays }) => metIf(lifetimeDays <= 366, `${lifetimeDays} days`),
    advice: 'Get certificates with a shorter lifetime, by automatic renewal',
  }),
  certificateCriterion({
    id: 'ocsp-stapling',
    requirement: 'The server staples an OCSP response if the certificate names a responder',
    references: [nist('§3.4', 'must'), mozilla('ocsp_staple', 'should')],
    assess: ({ namesOcspResponder, isStapled }) =>
      namesOcspResponder || isStapled
        ? metIf(isStapled, isStapled ? 'stapled' : 'not stapled')
        : notApplicable('the certificate names no OCSP responder'),
    advice: 'Enable OCSP stapling, or use an authority without OCSP',
  }),
]
