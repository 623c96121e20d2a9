/**
 * The port of the load balancer for canaries. Lambda functions outside a VPC cannot connect to port 25, and AWS does not
 * lift this restriction for them (https://aws.amazon.com/premiumsupport/knowledge-center/ec2-port-25-throttle).
 */
export const canaryPort = 2525

/** Days for which the trace of a canary is kept; there are 1,440 canaries a day. */
export const canaryRetentionDays = 1
