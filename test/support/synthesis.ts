/** The synthesised stack as data. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CloudAssembly } from 'aws-cdk-lib/cx-api'
import { buildApp, type CreateAppOptions } from '../../infra/create-app.ts'

/** A value of the template. CloudFormation's properties have no type in common. */
export type Json = ReturnType<typeof JSON.parse>

export interface Resource {
  readonly id: string
  readonly Type: string
  readonly Properties: Json
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
  readonly DependsOn?: readonly string[]
}

/** An existing VPC with two zones. */
export const existingVpc = {
  vpcId: 'vpc-0a1b2c3d4e5f60718',
  availabilityZones: ['eu-west-1a', 'eu-west-1b'],
  publicSubnetIds: ['subnet-0a1b2c3d', 'subnet-1a1b2c3d'],
  publicSubnetCidrs: ['10.1.0.0/26', '10.1.0.64/26'],
  privateSubnetIds: ['subnet-2a1b2c3d', 'subnet-3a1b2c3d'],
}

/** A KMS key of the customer. */
export const encryptionKeyArn = 'arn:aws:kms:eu-west-1:123456789012:key/0c1d2e3f-0000-4000-8000-000000000000'

/** The default settings, and other settings that together cause every optional resource. */
export const deployments: Readonly<Record<string, Record<string, unknown>>> = {
  'as shipped': {},
  'with MX lookup, a KMS key, JWT, mailed alarms, summaries and deletion protection': {
    defaultRoute: 'Mx',
    encryptionKeyArn,
    hashEventAddresses: true,
    tlsSecretKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000',
    alarmEmail: 'operator@example.net',
    deletionProtection: true,
    summaries: { daily: ['operator@example.net'] },
    console: { clientId: 'mailflow-console' },
    jwt: {
      issuer: 'https://login.example.net/',
      audience: ['mailflow'],
      scopes: ['mailflow/admin'],
      roles: { claim: 'groups', mapping: { 'Mail Administrators': 'administer' } },
    },
  },
  'with certificates of ACM, CloudFront, IPv6 and a domain name of the API': {
    ingress: { ipv6: true },
    tlsSecretArn: undefined,
    tlsSecretKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000',
    certificate: { acm: { hostedZoneId: 'Z0123456789ABCDEFGHIJ' } },
    tlsa: { hostedZoneId: 'Z0123456789ABCDEFGHIJ' },
    api: {
      domainName: 'api.ours.example',
      certificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000',
    },
    mtaSts: {
      mode: 'enforce',
      domains: ['ours.example', 'ours.example.net'],
      certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000',
      cloudFront: true,
    },
  },
  'with interface endpoints, named identities, a whole processor, the PROXY protocol and policy hosts': {
    interfaceEndpoints: true,
    ingress: { cpu: 1024, proxyProtocol: true },
    sesIdentityArns: ['arn:aws:ses:eu-west-1:123456789012:identity/ours.example'],
    mtaSts: {
      mode: 'enforce',
      maxAgeDays: 30,
      domains: ['ours.example', 'ours.example.net'],
      certificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000',
    },
  },
  'in an existing VPC with MX lookup and IPv6': {
    network: { existingVpc },
    defaultRoute: 'Mx',
    ingress: { ipv6: true },
  },
}

/** The default settings and those of each deployment that has a KMS key of the customer, all with that key. */
export const deploymentsWithKey: typeof deployments = Object.fromEntries([
  ['with the default settings and a KMS key', { encryptionKeyArn }],
  ...Object.entries(deployments).filter(([, mailflow]) => 'encryptionKeyArn' in mailflow),
])

/** Omits slow steps that do not change the template. */
export const templateOnly = {
  validate: false,
  context: {
    'aws:cdk:bundling-stacks': [],
    'aws:cdk:disable-stack-trace': true,
    'aws:cdk:disable-asset-staging': true,
    'aws:cdk:enable-path-metadata': false,
  },
} satisfies CreateAppOptions

const assemblies = mkdtempSync(join(tmpdir(), 'mailflow-synth-'))
process.on('exit', () => rmSync(assemblies, { recursive: true, force: true }))

const assemblyCache = new Map<string, CloudAssembly>()

/** A key for settings: unlike JSON, it keeps settings that are undefined. */
const keyOf = (mailflow: Record<string, unknown>): string =>
  JSON.stringify(mailflow, (_, value) => (value === undefined ? '(undefined)' : value))

/** Synthesises once for each settings, into a folder that is removed when the process ends. */
export function assemble(
  mailflow: Record<string, unknown> = {},
  options: CreateAppOptions = {},
): CloudAssembly {
  const key = Object.keys(options).length > 0 ? null : keyOf(mailflow)
  const cached = key === null ? undefined : assemblyCache.get(key)
  if (cached) return cached
  const outdir = mkdtempSync(join(assemblies, 'assembly-'))
  const assembly = buildApp({ outdir, mailflow, ...templateOnly, ...options }).synth()
  if (key !== null) assemblyCache.set(key, assembly)
  return assembly
}

const templates = new Map<string, Resource[]>()

/** Every resource of the template with these settings. */
export function resources(mailflow: Record<string, unknown> = {}): Resource[] {
  const key = keyOf(mailflow)
  const cached = templates.get(key)
  if (cached) return cached
  const template: Json = assemble(mailflow).getStackByName('Mailflow').template
  const allResources = Object.entries<Json>(template.Resources).map(([id, resource]) => ({ id, ...resource }))
  templates.set(key, allResources)
  return allResources
}

/** The resources of one type, such as `AWS::SQS::Queue`. */
export function resourcesOfType(type: string, mailflow: Record<string, unknown> = {}): Resource[] {
  return resources(mailflow).filter((resource) => resource.Type === type)
}

/** Returns the only resource of a type. */
export function onlyResource(type: string, mailflow: Record<string, unknown> = {}): Resource {
  const [resource, ...others] = resourcesOfType(type, mailflow)
  if (!resource || others.length > 0)
    throw new Error(`expected one ${type}, found ${others.length + (resource ? 1 : 0)}`)
  return resource
}

/** A value of the template as text: an intrinsic function becomes `<LogicalId>` or `<LogicalId.Attribute>`. */
export function text(value: Json): string {
  if (typeof value !== 'object' || value === null) return String(value)
  if ('Ref' in value) return `<${value.Ref}>`
  if ('Fn::GetAtt' in value) return `<${value['Fn::GetAtt'].join('.')}>`
  if ('Fn::Join' in value) return value['Fn::Join'][1].map(text).join(value['Fn::Join'][0])
  if ('Fn::Sub' in value) return value['Fn::Sub']
  return JSON.stringify(value)
}

/** IAM writes one value or a list; this returns a list. */
export function toList<T>(value: T | T[]): T[] {
  return Array.isArray(value) ? value : [value]
}
