/**
 * Lists all commands in the order of the help. A new command is a file in commands/ and an entry in this list. A
 * command's file is loaded when it runs, because loading all files takes longer than most commands.
 */
import type { Command, CommandDefinition } from './command.ts'

export interface ListedCommand extends Pick<Command, 'name' | 'summary'> {
  load(): Promise<CommandDefinition>
}

export const commands: readonly ListedCommand[] = [
  {
    name: 'connectors list',
    summary: 'List the connectors of both directions',
    load: async () => (await import('./commands/connectors-list.ts')).listConnectors,
  },
  {
    name: 'connectors get',
    summary: 'Show a connector in the file format of "connectors apply"',
    load: async () => (await import('./commands/connectors-get.ts')).getConnector,
  },
  {
    name: 'connectors validate',
    summary: 'Validate an outbound connector with a test message, or an inbound one with received mail',
    load: async () => (await import('./commands/connectors-validate.ts')).validateConnector,
  },
  {
    name: 'connectors apply',
    summary: 'Make the connectors and accepted domains match a file',
    load: async () => (await import('./commands/connectors-apply.ts')).applyConnectors,
  },
  {
    name: 'connectors try',
    summary: 'Show which past mail would have been decided otherwise under the connectors of a file',
    load: async () => (await import('./commands/connectors-try.ts')).tryConnectors,
  },
  {
    name: 'connectors set',
    summary: 'Change fields of a connector, or of all',
    load: async () => (await import('./commands/connectors-set.ts')).setConnector,
  },
  {
    name: 'connectors enable',
    summary: 'Enable a connector',
    load: async () => (await import('./commands/connectors-enable.ts')).enableConnector,
  },
  {
    name: 'connectors disable',
    summary: 'Disable a connector',
    load: async () => (await import('./commands/connectors-disable.ts')).disableConnector,
  },
  {
    name: 'connectors delete',
    summary: 'Delete a connector',
    load: async () => (await import('./commands/connectors-delete.ts')).deleteConnector,
  },
  {
    name: 'connectors export',
    summary: 'Write all connectors and accepted domains as a file for "connectors apply"',
    load: async () => (await import('./commands/connectors-export.ts')).exportConnectors,
  },
  {
    name: 'connectors import-exchange',
    summary: 'Convert an export of Exchange Online\'s connectors to a file for "connectors apply"',
    load: async () => (await import('./commands/connectors-import-exchange.ts')).importExchange,
  },
  {
    name: 'connectors template',
    summary: 'Print the connectors for a tenant of Exchange Online, and the commands for the tenant',
    load: async () => (await import('./commands/connectors-template.ts')).connectorTemplate,
  },
  {
    name: 'domains set',
    summary: 'Change fields of an accepted domain',
    load: async () => (await import('./commands/domains-set.ts')).setDomain,
  },
  {
    name: 'domains conformance',
    summary: "Compare an accepted domain's MX hosts and DNS records with published standards",
    load: async () => (await import('./commands/domains-conformance.ts')).domainConformance,
  },
  {
    name: 'recipients list',
    summary: 'Print the list of the recipients of an accepted domain',
    load: async () => (await import('./commands/recipients-list.ts')).listRecipients,
  },
  {
    name: 'recipients set',
    summary: 'Replace the list of the recipients of an accepted domain',
    load: async () => (await import('./commands/recipients-set.ts')).setRecipients,
  },
  {
    name: 'recipients add',
    summary: 'Add addresses to the list of the recipients of an accepted domain',
    load: async () => (await import('./commands/recipients-add.ts')).addRecipients,
  },
  {
    name: 'recipients remove',
    summary: 'Remove addresses from the list of the recipients of an accepted domain',
    load: async () => (await import('./commands/recipients-remove.ts')).removeRecipients,
  },
  {
    name: 'changes',
    summary: 'List the changes of connectors and accepted domains, newest first',
    load: async () => (await import('./commands/changes.ts')).changes,
  },
  {
    name: 'explain',
    summary: 'Show the decision for a hypothetical message, and the connectors considered',
    load: async () => (await import('./commands/explain.ts')).explain,
  },
  {
    name: 'check',
    summary: "Check a mail server's TLS and certificate, or a certificate in a file",
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'check exchange-online',
    summary: 'Check whether mail can reach a tenant of Exchange Online without the gateway',
    load: async () => (await import('./commands/check-exchange-online.ts')).checkExchangeOnline,
  },
  {
    name: 'messages',
    summary: "List messages, newest first, or show a message's trace",
    load: async () => (await import('./commands/messages.ts')).messages,
  },
  {
    name: 'messages search',
    summary: 'Search for messages and refusals of the last months',
    load: async () => (await import('./commands/messages-search.ts')).searchMessages,
  },
  {
    name: 'messages release',
    summary: 'Deliver a message that an inbound connector holds, despite its violation',
    load: async () => (await import('./commands/messages-release.ts')).releaseMessage,
  },
  {
    name: 'messages return',
    summary: 'Bounce waiting mail now, with a DSN to its sender',
    load: async () => (await import('./commands/messages-return.ts')).returnMessages,
  },
  {
    name: 'retry',
    summary: 'Retry deferred mail now: one message, or all messages of a connector',
    load: async () => (await import('./commands/retry.ts')).retry,
  },
  {
    name: 'queues',
    summary: 'List what waits, by partner and reason',
    load: async () => (await import('./commands/queues.ts')).queues,
  },
  {
    name: 'queues retry',
    summary: 'Decide now about mail that waits',
    load: async () => (await import('./commands/queues-retry.ts')).retryQueues,
  },
  {
    name: 'queues release',
    summary: 'Deliver mail that inbound connectors hold, despite its violation',
    load: async () => (await import('./commands/queues-release.ts')).releaseQueues,
  },
  {
    name: 'queues return',
    summary: 'Bounce mail that waits now, with a DSN to its sender',
    load: async () => (await import('./commands/queues-return.ts')).returnQueues,
  },
  {
    name: 'queues drop',
    summary: 'Bounce mail that waits now, without a DSN or any other mail',
    load: async () => (await import('./commands/queues-drop.ts')).dropQueues,
  },
  {
    name: 'redrive',
    summary: 'List the dead letters, or send them to their queues again',
    load: async () => (await import('./commands/redrive.ts')).redrive,
  },
  {
    name: 'addresses erase',
    summary: 'Erase what is stored of a mail address',
    load: async () => (await import('./commands/addresses-erase.ts')).eraseAddress,
  },
  {
    name: 'reports',
    summary: 'List the reports about mail, or explain the columns of one',
    load: async () => (await import('./commands/reports.ts')).reports,
  },
  {
    name: 'report',
    summary: 'Print a report: TLS by connector, refusals, bounces and others',
    load: async () => (await import('./commands/report.ts')).report,
  },
  {
    name: 'tls-reports',
    summary: 'List TLS reports received from other organisations, latest day first, or show one report',
    load: async () => (await import('./commands/tls-reports.ts')).tlsReports,
  },
  {
    name: 'caller',
    summary: 'Show who you are to the API, and which roles you have',
    load: async () => (await import('./commands/caller.ts')).caller,
  },
  {
    name: 'health',
    summary: 'Show the status of the gateway, and its alarms',
    load: async () => (await import('./commands/health.ts')).health,
  },
  {
    name: 'certificates',
    summary: 'Show the published certificates of this gateway: current, next and deprecated',
    load: async () => (await import('./commands/certificates.ts')).certificates,
  },
  {
    name: 'certificates observed',
    summary: 'List observed certificates of partners and this gateway, with days until expiry',
    load: async () => (await import('./commands/certificates-observed.ts')).observedCertificates,
  },
  {
    name: 'certificates unknown',
    summary: 'List certificates that clients present and connectors do not accept',
    load: async () => (await import('./commands/certificates-unknown.ts')).unknownCertificates,
  },
  {
    name: 'certificates dismiss',
    summary: "Record that an unknown certificate is not the partner's, so that it causes no notice",
    load: async () => (await import('./commands/certificates-dismiss.ts')).dismissCertificate,
  },
  {
    name: 'doctor',
    summary: "Compare the AWS account's quotas with the settings of a deployment",
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'dns',
    summary: 'Show the DNS records to publish for a domain, and check the published ones',
    load: async () => (await import('./commands/dns.ts')).dns,
  },
]

export const loadCommand = async ({ name, summary, load }: ListedCommand): Promise<Command> => ({
  name,
  summary,
  ...(await load()),
})
