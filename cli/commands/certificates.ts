/** `certificates`: shows the published certificates of this gateway. */
import * as z from 'zod'
import {
  type PublishedCertificate,
  PublishedCertificates,
  type TlsaStatus,
} from '../../shared/contract/certificates.ts'
import { attributesOf, utcText } from '../../shared/tls/published-attributes.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { jsonText, printable } from '../text/format.ts'
import { alignColumns } from '../text/table.ts'

/** Ignores unknown fields, so that newer gateways work. */
const LoosePublishedCertificates = PublishedCertificates.loose()

export const certificates = defineCommand({
  usesApi: true,
  options: jsonOption,
  async run({ values, io, api }) {
    const response = await api.get(z.unknown(), '/certificates')
    io.out(
      values.json
        ? jsonText(response)
        : `${textOf(parseResponse(LoosePublishedCertificates, response, 'published certificates'))}\n`,
    )
    return exitStatus.ok
  },
})

function textOf(published: PublishedCertificates): string {
  const { hostname, changedAt, certificates, tlsaRecords, nextTlsa, protocol } = published
  return [
    `${printable(hostname)}, last changed ${utcText(changedAt)}`,
    ...certificates.flatMap((certificate) => ['', ...linesOf(certificate)]),
    '',
    'TLSA records (the zone must be signed with DNSSEC)',
    ...tlsaRecords.map((record) => `  ${printable(record)}`),
    ...(nextTlsa ? ['', ...statusLines(nextTlsa)] : []),
    '',
    'TLS parameters, in order of preference',
    `  Versions  ${protocol.versions.join(', ')}`,
    `  Suites    ${protocol.cipherSuites.join('\n            ')}`,
    `  Groups    ${protocol.groups.join(', ')}`,
  ].join('\n')
}

function statusLines({ state, since, usableFrom, records }: TlsaStatus): string[] {
  if (state === 'Missing')
    return [
      `The next key waits for its TLSA record, since ${utcText(since)}. Publish, and keep the records above:`,
      ...records.map((record) => `  ${printable(record)}`),
    ]
  if (state === 'Unknown')
    return [`The next key waits: the lookup of the TLSA records has failed since ${utcText(since)}.`]
  return [
    `The TLSA records match the next key since ${utcText(since)}${usableFrom === null ? '' : `; it is not used before ${utcText(usableFrom)}`}.`,
  ]
}

function linesOf(certificate: PublishedCertificate): string[] {
  const rows = attributesOf(certificate).flatMap(({ name, values }) =>
    values.map((value, index) => [index === 0 ? name : '', printable(value)]),
  )
  const text = alignColumns(rows)
    .split('\n')
    .map((line) => `  ${line}`)
  return [`${certificate.state}: ${printable(certificate.certificateName)}`, ...text]
}
