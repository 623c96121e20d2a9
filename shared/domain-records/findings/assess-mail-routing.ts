/** Checks the domain's MX records and the addresses of its hosts. Pure. */

import { normaliseDomain } from '../../mail/domain.ts'
import { createAddressFilter } from '../../net/address-filter.ts'
import type { DnsAnswer } from '../../net/dns/answer.ts'
import type { DomainFacts, HostFacts } from '../facts/domain-facts.ts'
import type { Plan } from '../publication-plan.ts'
import { mxValues } from '../zone-records.ts'
import { failedQueryFinding, type RecordFinding, recordsOf } from './record-finding.ts'

export function assessMx(plan: Plan, { mx }: DomainFacts): RecordFinding {
  const about = { record: 'MX' as const, name: plan.domain }
  if (mx.kind === 'Failed') return failedQueryFinding(about, mx)
  const published = recordsOf(mx)
    .toSorted((a, b) => a.preference - b.preference)
    .map(({ preference, exchange }) => `${preference} ${exchange === '.' ? '.' : `${exchange}.`}`)
  const faults = mxFaults(plan, mx)
  const says = [...faults, ...(mx.kind === 'Found' ? aliasText(plan.domain, mx.name) : [])]
  const isPublished = mx.kind === 'Found'
  const result = !isPublished ? 'MISSING' : faults.length > 0 ? 'DIFFERENT' : 'OK'
  return { ...about, result, published, wanted: result === 'OK' ? [] : mxValues(plan), says }
}

function mxFaults({ hosts, domain }: Plan, mx: DomainFacts['mx']): string[] {
  if (mx.kind === 'NoSuchName') return [`The name ${domain} does not exist in DNS.`]
  if (mx.kind !== 'Found')
    return [
      'Without an MX record, senders deliver to the addresses of the domain itself, if it has any (RFC 5321 §5.1).',
    ]
  const mxHosts = [...new Set(mx.records.map(({ exchange }) => exchange))]
  if (mxHosts.includes('.'))
    return mxHosts.length === 1
      ? [
          'The record is a null MX (RFC 7505): the domain accepts no mail, and senders bounce mail immediately.',
        ]
      : ['There is a null MX (.) and other MX records, which RFC 7505 §3 forbids: senders may bounce mail.']
  const comparable = mxHosts.map((exchange) => [exchange, normaliseDomain(exchange)] as const)
  const otherHosts = comparable
    .filter(([, name]) => name === null || !hosts.includes(name))
    .map(([text]) => text)
  const missingHosts = hosts.filter((host) => !comparable.some(([, name]) => name === host))
  return [
    ...(otherHosts.length === 0
      ? []
      : [
          `Mail ${missingHosts.length === hosts.length ? 'bypasses' : 'can bypass'} this gateway through ${joinNames(otherHosts)}: no connector applies there.`,
        ]),
    ...(missingHosts.length === 0 ? [] : [`The MX records do not include ${joinNames(missingHosts)}.`]),
  ]
}

const aliasText = (queriedName: string, ownerName: string): string[] =>
  queriedName === ownerName ? [] : [`${queriedName} is an alias (CNAME); the records belong to ${ownerName}.`]

export function assessAddresses({ host, a, aaaa }: HostFacts): RecordFinding {
  const about = { record: 'Address' as const, name: host }
  const published = [...recordsOf(a), ...recordsOf(aaaa)]
  const failed = [a, aaaa].find((answer) => answer.kind === 'Failed')
  if (failed && published.length === 0) return failedQueryFinding(about, failed)
  if (published.length === 0)
    return {
      ...about,
      result: 'MISSING',
      published,
      wanted: [],
      says: [
        `${host} has no address, so senders cannot deliver mail. The stack's output MxAddresses lists the addresses to publish.`,
      ],
    }
  const says = [...aliasFault(host, a, aaaa), ...privateFault(published)]
  return { ...about, result: says.length > 0 ? 'WARN' : 'OK', published, wanted: [], says }
}

function aliasFault(host: string, ...answers: readonly DnsAnswer<string>[]): string[] {
  const alias = answers.find((answer) => answer.kind === 'Found' && answer.name !== host)
  return alias?.kind === 'Found'
    ? [
        `${host} is an alias (CNAME) of ${alias.name}. An MX host must have address records of its own (RFC 2181 §10.3); some senders refuse an alias.`,
      ]
    : []
}

function privateFault(addresses: readonly string[]): string[] {
  const privateAddresses = addresses.filter((address) => !createAddressFilter([])(address))
  return privateAddresses.length === 0
    ? []
    : [
        `${joinNames(privateAddresses)} cannot be reached from the internet. Check that partners resolve the name to public addresses.`,
      ]
}

export const joinNames = (names: readonly string[]): string => names.join(', ')
