/** What each report answers, and which of its filters it has. Pure. */
import type { Report } from '../../api/types.ts'

export type ReportName = Report['name']

interface ReportFacts {
  question: string
  /** What the filter of a domain selects. */
  partnerLabel: string
  hasConnector: boolean
  /** Not if it is about the present. */
  hasPeriod: boolean
  /** Not if its days are those of UTC. */
  hasTimeZone: boolean
  /** Numbers of the chart: parts that may be added, so none that is counted in another. */
  charted: readonly string[]
  /** Columns that say little beside the others, and are in the file only. */
  hidden: readonly string[]
  /** Columns of texts by which rows are selected, each with its parameter in the address. */
  selected: readonly { parameter: string; column: string; label: string; values: readonly string[] }[]
}

const facts = (
  question: string,
  charted: readonly string[],
  others: Partial<ReportFacts> = {},
): ReportFacts => ({
  question,
  partnerLabel: 'Partner',
  hasConnector: true,
  hasPeriod: true,
  hasTimeZone: true,
  charted,
  hidden: [],
  selected: [],
  ...others,
})

export const reportFacts: Readonly<Record<ReportName, ReportFacts>> = {
  'connector-tls': facts(
    'How much mail does each connector carry, and how is it encrypted?',
    ['inClear', 'tls12', 'tls13', 'unknown', 'refused'],
    { hidden: ['lastMail'] },
  ),
  'in-transit': facts(
    'With whom is mail exchanged in the clear, and what was blocked?',
    ['sent', 'blocked'],
    {
      selected: [
        {
          parameter: 'direction',
          column: 'direction',
          label: 'Direction',
          values: ['Inbound', 'Outbound'],
        },
        { parameter: 'rows', column: 'tls', label: 'TLS', values: ['None', 'TLSv1.2', 'TLSv1.3'] },
      ],
    },
  ),
  rejected: facts('Which clients were refused in the session, and why?', ['count']),
  'domain-status': facts('Does mail reach each accepted domain, and what is to be fixed?', [], {
    partnerLabel: 'Accepted domain',
    hasConnector: false,
  }),
  'non-accepted-domains': facts('Which senders of our own servers have a domain that is not accepted?', [
    'messages',
  ]),
  'non-delivery': facts('Why did mail bounce, and how often?', []),
  queued: facts('What waits now, and until when?', [], {
    hasPeriod: false,
    hasTimeZone: false,
  }),
  'tls-rpt': facts('What do other organisations report on TLS to our servers?', ['successful', 'failed'], {
    partnerLabel: 'Policy domain',
    hasConnector: false,
    hasTimeZone: false,
  }),
  'key-exchange': facts('How much mail is safe from a later decryption by a quantum computer?', []),
}

export const isReportName = (name: string): name is ReportName => Object.hasOwn(reportFacts, name)
