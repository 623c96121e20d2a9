import { Fn } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import {
  CacheHeaderBehavior,
  CachePolicy,
  Function as CloudFrontFunction,
  Distribution,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront'
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import { Construct } from 'constructs'
import { certificatesPath, policyHostHeader, policyPath } from '../../shared/contract/public-pages.ts'
import { acknowledge } from '../acknowledge.ts'

export interface PagesDistributionProps {
  readonly api: HttpApi
  /** The policy hosts. */
  readonly hosts: string[]
  /** ARN of an ACM certificate in us-east-1 for all of them. */
  readonly certificateArn: string
}

/**
 * CloudFront in front of the public pages. The attack: a client requests the policy so often that API Gateway refuses
 * other senders, which then find no policy and deliver without it. The defence: CloudFront answers from its caches, and
 * `viewerRequest` gives all requests for one page the same cache key. Not covered: the cost of a flood; a flood at the
 * API's own URL, which no output or page shows, and which hides the policy from CloudFront when its copy expires.
 */
export class PagesDistribution extends Construct {
  readonly domainName: string

  constructor(scope: Construct, id: string, { api, hosts, certificateArn }: PagesDistributionProps) {
    super(scope, id)
    const distribution = new Distribution(this, 'Distribution', {
      domainNames: hosts,
      certificate: Certificate.fromCertificateArn(this, 'Certificate', certificateArn),
      minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
      defaultBehavior: {
        origin: new HttpOrigin(Fn.parseDomainName(api.apiEndpoint)),
        // RFC 8461 §3.3: senders use HTTPS, and follow no redirect.
        viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
        // Each response of the function states how long it may be cached.
        cachePolicy: new CachePolicy(this, 'CachePolicy', {
          headerBehavior: CacheHeaderBehavior.allowList(policyHostHeader),
        }),
        functionAssociations: [
          {
            eventType: FunctionEventType.VIEWER_REQUEST,
            function: new CloudFrontFunction(this, 'ViewerRequest', {
              code: FunctionCode.fromInline(viewerRequest),
              runtime: FunctionRuntime.JS_2_0,
            }),
          },
        ],
      },
    })
    this.domainName = distribution.distributionDomainName
    acknowledge(distribution, 'Senders in every country fetch the policy.', 'CFR1')
    acknowledge(distribution, 'The caches and the throttles of the API bound a flood.', 'CFR2')
    acknowledge(distribution, 'The API logs each request that no cache of CloudFront answers.', 'CFR3')
  }
}

/**
 * Runs before CloudFront looks in its caches. It rejects all paths without a page, such as other spellings of the
 * policy's path, and copies the host name of a policy request into a header of the cache key. API Gateway would refuse
 * the Host header itself.
 */
const viewerRequest = `function handler(event) {
  const request = event.request
  delete request.headers['${policyHostHeader}']
  if (request.uri === '${policyPath}') {
    const host = request.headers.host.value.toLowerCase().replace(/\\.?(:\\d+)?$/, '')
    request.headers['${policyHostHeader}'] = { value: host }
  } else if (!${certificatesPath}.test(request.uri)) return { statusCode: 404, statusDescription: 'Not Found' }
  return request
}
`
