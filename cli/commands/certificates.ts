/** `certificates`: our own, as partners are told of them. */
import { z } from 'zod'
import { type PublishedCertificate, PublishedCertificates } from '../../shared/contract/certificates.ts'
import { attributesOf, utc } from '../../shared/tls/published-words.ts'
import { knownAnswer } from '../api/known-answer.ts'
import { command, jsonOption } from '../command.ts'
import { exit } from '../faults.ts'
import { aligned } from '../text/table.ts'
import { jsonText, printable } from '../text/words.ts'

/** What a gateway of another version adds is passed over. */
const Told = PublishedCertificates.loose()

export const certificates = command({
  name: 'certificates',
  summary: 'Show what partners are told of our certificates: current, next and deprecated',
  usesApi: true,
  options: jsonOption,
  async run({ values, world, api }) {
    const answer = await api.get(z.unknown(), '/certificates')
    world.out(values.json ? jsonText(answer) : `${textOf(knownAnswer(Told, answer, 'answer'))}\n`)
    return exit.ok
  },
})

function textOf({ hostname, changedAt, certificates, tlsaRecords, protocol }: PublishedCertificates): string {
  return [
    `${printable(hostname)}, told so since ${utc(changedAt)}`,
    ...certificates.flatMap((certificate) => ['', ...linesOf(certificate)]),
    '',
    'TLSA records, in a zone that is signed',
    ...tlsaRecords.map((record) => `  ${printable(record)}`),
    '',
    'What is spoken, most wanted first',
    `  Versions  ${protocol.versions.join(', ')}`,
    `  Suites    ${protocol.cipherSuites.join('\n            ')}`,
    `  Groups    ${protocol.groups.join(', ')}`,
  ].join('\n')
}

function linesOf(certificate: PublishedCertificate): string[] {
  const rows = attributesOf(certificate).flatMap(({ name, values }) =>
    values.map((value, index) => [index === 0 ? name : '', printable(value)]),
  )
  const text = aligned(rows)
    .split('\n')
    .map((line) => `  ${line}`)
  return [`${certificate.state}: ${printable(certificate.certificateName)}`, ...text]
}
