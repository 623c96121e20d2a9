/**
 * The servers that `mailflow dns` queries: a name server, the policy host and the gateway's API, each with the test's
 * content.
 */
import assert from 'node:assert/strict'
import packet from 'dns-packet'
import type { PublishedCertificate } from '../../../shared/contract/certificates.ts'
import { describeCertificates } from '../../../shared/tls/describe-certificates.ts'
import { type Answer, soa, startNameServer } from '../name-server.ts'
import { createPki, type LeafOptions, type Pki } from '../pki.ts'
import { type PolicyHost, startPolicyHost, trust } from '../policy-host.ts'
import { type CommandResult, mailflow, startAnsweringServer } from './mailflow.ts'

/** The records of each name, by type, or the failure of its queries. */
export interface RecordsByName {
  [name: string]: {
    MX?: [number, string][]
    TXT?: string[]
    A?: string[]
    AAAA?: string[]
    CNAME?: string
    TLSA?: string[]
    /** Such as `0 issue ca.example`. */
    CAA?: string[]
    fails?: 'SERVFAIL' | 'BOGUS'
  }
}

export interface DnsState {
  names: RecordsByName
  /** Names whose answers have the AD bit; `*` stands for all. */
  signed: readonly string[] | '*'
  /** The policy host's status and body. */
  policy: { status?: number; type?: string; text: string }
  /** Null when no certificate is published yet. */
  certificates: readonly PublishedCertificate[] | null
  hostname: string
  accepted: readonly string[]
}

export interface DnsSetup {
  state: DnsState
  policyAddress: string
  pki: Pki
  dns(...args: string[]): Promise<CommandResult>
  /** Every query that the name server received, as `TYPE name`. */
  queries(): string[]
  stop(): Promise<void>
}

const types = ['MX', 'TXT', 'A', 'AAAA', 'CNAME', 'TLSA', 'CAA'] as const
type Type = (typeof types)[number]

/** @param domain the domain of the policy host */
export async function startDnsSetup(domain: string): Promise<DnsSetup> {
  const pki = await createPki('Root of tests')
  trust(pki.ca)
  const identity = await pki.issue({ names: [`mta-sts.${domain}`] })
  let around = null as unknown as DnsState
  const policyHost: PolicyHost = await startPolicyHost(identity, (_, response) => {
    const { status = 200, type = 'text/plain', text } = around.policy
    response.writeHead(status, { 'Content-Type': type }).end(text)
  })
  const server = await startNameServer(({ name, type }) => [
    answerOf(around, name.toLowerCase(), type as Type),
  ])
  const api = await startAnsweringServer(({ url = '' }) => apiAnswer(around, url))
  const setup: DnsSetup = {
    get state() {
      return around
    },
    set state(next) {
      around = next
    },
    policyAddress: policyHost.address,
    pki,
    dns: (...args) =>
      mailflow(['dns', ...args, '--dns-server', server.address], { env: { MAILFLOW_API: api.url } }),
    queries: () => server.queries.map(({ type, name }) => `${type} ${name}`),
    async stop() {
      api.stop()
      await Promise.all([server.stop(), policyHost.stop()])
    },
  }
  return setup
}

function answerOf({ names, signed }: DnsState, name: string, type: Type): Answer {
  const secure = (owner: string) => signed === '*' || signed.includes(owner)
  const flags = (isSecure: boolean) => packet.RECURSION_AVAILABLE | (isSecure ? packet.AUTHENTIC_DATA : 0)
  const answers: packet.Record[] = []
  let at = name
  let proven = secure(at)
  for (;;) {
    const node = names[at]
    if (node?.fails) return { rcode: 2, ...(node.fails === 'BOGUS' && { error: 6 }) }
    const alias = node?.CNAME
    if (alias === undefined || type === 'CNAME') break
    answers.push({ type: 'CNAME', name: at, ttl: 1, data: alias })
    at = alias
    proven &&= secure(at)
  }
  const node = names[at]
  answers.push(...recordsOf(at, type, node?.[type]))
  if (node === undefined && answers.length === 0)
    return { rcode: 3, flags: flags(proven), authorities: [soa] }
  return { answers, flags: flags(proven), ...(answers.length === 0 && { authorities: [soa] }) }
}

function recordsOf(name: string, type: Type, values: unknown): packet.Record[] {
  if (values === undefined) return []
  return (values as unknown[]).map((value) => {
    if (type === 'MX') {
      const [preference, exchange] = value as [number, string]
      return { type, name, ttl: 1, data: { preference, exchange } }
    }
    if (type === 'TLSA') {
      const [usage = '', selector = '', matchingType = '', data = ''] = (value as string).split(' ')
      return {
        type,
        name,
        ttl: 1,
        data: {
          usage: Number(usage),
          selector: Number(selector),
          matchingType: Number(matchingType),
          certificate: Buffer.from(data, 'hex'),
        },
      } as unknown as packet.Record
    }
    if (type === 'CAA') {
      const [flags = '', tag = '', ...rest] = (value as string).split(' ')
      return { type, name, ttl: 1, data: { flags: Number(flags), tag, value: rest.join(' ') } }
    }
    if (type === 'TXT') return { type, name, ttl: 1, data: (value as string).match(/.{1,200}/g) ?? [] }
    return { type: type as 'A', name, ttl: 1, data: value as string }
  })
}

function apiAnswer({ certificates, hostname, accepted }: DnsState, url: string) {
  if (url === '/certificates' && certificates !== null)
    return {
      body: JSON.stringify({
        hostname,
        changedAt: '2026-01-01T00:00:00.000Z',
        certificates,
        tlsaRecords: [],
        protocol: { versions: [], cipherSuites: [], groups: [] },
      }),
    }
  if (accepted.some((domain) => url === `/accepted-domains/${domain}`)) return { body: '{}' }
  return { status: 404, body: JSON.stringify({ title: 'Not Found', detail: 'There is no such thing.' }) }
}

export interface GatewayCertificate {
  published: PublishedCertificate
  /** The record's data with usage 3, selector 1, matching type 1. */
  tlsa: string
}

/** One of the gateway's certificates, as the API returns it. */
export async function createGatewayCertificate(
  pki: Pki,
  options: LeafOptions,
  state: PublishedCertificate['state'] = 'Current',
): Promise<GatewayCertificate> {
  const identity = await pki.issue(options)
  const [described] = describeCertificates(
    { certificate: identity.cert, deprecated: [] },
    { hostname: options.names[0] ?? '', now: new Date() },
  ).certificates
  assert.ok(described)
  return {
    tlsa: `3 1 1 ${described.publicKeyFingerprint256}`,
    published: { ...described, state, servedFrom: state === 'Next' ? '2026-12-20T00:00:00.000Z' : null },
  }
}
