import {
  ApiMapping,
  DomainName,
  type HttpApi,
  type HttpStage,
  type IpAddressType,
  SecurityPolicy,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { Construct } from 'constructs'

export interface ApiDomainProps {
  readonly api: HttpApi
  readonly stage: HttpStage
  readonly domainName: string
  /** ARN of an ACM certificate for the name, in the stack's Region. */
  readonly certificateArn: string
  /** @default IPv4 only */
  readonly ipAddressType?: IpAddressType
}

/**
 * A domain name of the organisation for an HTTP API, with TLS 1.2 or later. The URL of API Gateway remains: it requires
 * the same TLS version and authorisation, and reaches the API while the CNAME record or the certificate is missing
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-ciphers.html).
 */
export class ApiDomain extends Construct {
  readonly url: string
  /** The target of the name's CNAME record. */
  readonly target: string

  constructor(scope: Construct, id: string, props: ApiDomainProps) {
    super(scope, id)
    const { api, stage, domainName, certificateArn, ipAddressType } = props
    const name = new DomainName(this, 'Name', {
      domainName,
      certificate: Certificate.fromCertificateArn(this, 'Certificate', certificateArn),
      securityPolicy: SecurityPolicy.TLS_1_2,
      ...(ipAddressType && { ipAddressType }),
    })
    new ApiMapping(this, 'Mapping', { api, domainName: name, stage })
    this.url = `https://${domainName}`
    this.target = name.regionalDomainName
  }
}
