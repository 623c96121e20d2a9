/** The setting `network`: the range of the stack's own VPC, or an existing VPC. Pure. */
import ipaddr from 'ipaddr.js'
import * as z from 'zod'

const defaultCidr = '10.40.0.0/16'

/** Each zone has its own subnets, NAT gateway and public addresses, so that the loss of one does not affect the other. */
const ownZones = 2

const id = (resource: string) =>
  z
    .string()
    .regex(
      new RegExp(`^${resource}-([0-9a-f]{8}|[0-9a-f]{17})$`),
      `must be an id such as ${resource}-0a1b2c3d`,
    )

const isUnique = (values: readonly string[]) => new Set(values).size === values.length
const subnetIds = z.array(id('subnet')).refine(isUnique, 'must name each subnet once')

const ExistingVpc = z
  .strictObject({
    /** Id of the VPC. */
    vpcId: id('vpc'),
    /** Two or three zones of the Region. The other lists have one entry for each zone, in the same order. */
    availabilityZones: z
      .array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, 'must be a name such as eu-west-1a'))
      .min(2)
      .max(3)
      .refine(isUnique, 'must name each zone once'),
    /** Subnets of the load balancer. Each needs a route to an internet gateway, also for `::/0` with `ingress.ipv6`. */
    publicSubnetIds: subnetIds,
    /** IPv4 networks of these subnets. @default none; `ingress.proxyProtocol` needs them */
    publicSubnetCidrs: z.array(z.cidrv4('must be an IPv4 network in CIDR notation')).optional(),
    /**
     * Subnets of the ingress, and of deliveries from the VPC. They need routes, or endpoints, to S3, DynamoDB, SQS,
     * Secrets Manager, ECR and CloudWatch Logs. Deliveries from the VPC also need SES, and the internet with the ports
     * of next hops, such as 25, and 443. The addresses of these connections are the owner's: give them PTR records.
     */
    privateSubnetIds: subnetIds,
  })
  .superRefine(({ availabilityZones, vpcId: _, ...lists }, context) => {
    for (const [name, list] of Object.entries(lists))
      if (list !== undefined && list.length !== availabilityZones.length)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `must have one entry for each of the ${availabilityZones.length} availabilityZones`,
        })
  })

export const Network = z
  .strictObject({
    /**
     * IPv4 range of the stack's own VPC, from /16 to /22. A change replaces the VPC and everything in it.
     * @default `10.40.0.0/16`
     */
    cidr: z
      .string()
      .refine(isVpcRange, {
        message: `must be an IPv4 network from /16 to /22, by its first address, such as ${defaultCidr}`,
      })
      .optional(),
    /**
     * A VPC that exists, in place of one of the stack. Its owner creates NAT gateways, endpoints, flow logs and
     * routes; the stack adds the load balancer with Elastic IPs, the tasks and security groups.
     * @default none
     */
    existingVpc: ExistingVpc.optional(),
  })
  .refine(({ cidr, existingVpc }) => cidr === undefined || existingVpc === undefined, {
    path: ['cidr'],
    message: "must not be set with existingVpc: it is the range of the stack's own VPC",
  })
  .transform(({ cidr = defaultCidr, existingVpc }) => ({ cidr, existingVpc }))

export type NetworkSettings = z.output<typeof Network>
export type ExistingVpc = z.output<typeof ExistingVpc>

export const zonesOf = ({ existingVpc }: NetworkSettings): number =>
  existingVpc?.availabilityZones.length ?? ownZones

function isVpcRange(cidr: string): boolean {
  if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(cidr)) return false
  const [address, prefix] = ipaddr.IPv4.parseCIDR(cidr)
  return (
    prefix >= 16 && prefix <= 22 && address.toString() === ipaddr.IPv4.networkAddressFromCIDR(cidr).toString()
  )
}

/**
 * Prefix lengths of the stack's subnets. The two private subnets take up to half of the VPC, the two public ones up to a
 * quarter. In a large VPC they are not larger, so that room is left for other subnets.
 * @param cidr the VPC's range
 */
export function subnetMasks(cidr: string): { publicMask: number; privateMask: number } {
  const [, prefix] = ipaddr.IPv4.parseCIDR(cidr)
  return { publicMask: Math.max(24, prefix + 3), privateMask: Math.max(22, prefix + 2) }
}
