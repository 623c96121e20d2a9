import { CfnCertificate } from 'aws-cdk-lib/aws-certificatemanager'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'

const algorithms = { EC: 'EC_prime256v1', RSA: 'RSA_2048' } as const

/**
 * Exportable public certificates of ACM for the host name, one per key algorithm. ACM renews them while the DNS
 * record that validates the name exists.
 */
export class AcmCertificates extends Construct {
  readonly arns: readonly string[]

  constructor(scope: Construct, id: string, { hostname, certificate: { acm } }: Config) {
    super(scope, id)
    this.arns = (acm?.keyAlgorithms ?? []).map((kind) => {
      const certificate = new CfnCertificate(this, kind, {
        domainName: hostname,
        keyAlgorithm: algorithms[kind],
        certificateExport: 'ENABLED',
        validationMethod: 'DNS',
        ...(acm?.hostedZoneId && {
          domainValidationOptions: [{ domainName: hostname, hostedZoneId: acm.hostedZoneId }],
        }),
      })
      return certificate.ref
    })
  }
}
