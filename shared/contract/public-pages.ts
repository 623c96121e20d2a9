/** The paths of the public pages. The API Gateway, CloudFront and the function must agree on them. */

/** The path of the MTA-STS policy on a policy host (RFC 8461 §3.3). */
export const policyPath = '/.well-known/mta-sts.txt'

/** The paths of the certificates. The group is the fingerprint in the path of a chain. */
export const certificatesPath = /^\/(?:certificates(?:\.json|\/([0-9a-f]{64})\.pem))?$/

/**
 * Request header in which CloudFront names the policy host of a request. API Gateway expects its own host name in the
 * Host header.
 */
export const policyHostHeader = 'x-mailflow-policy-host'
