/** `messages release`: lets waiting mail leave with the current connectors. */
import { defineCommand } from '../command.ts'
import { confirmAndRequest, confirmedRequestOptions } from '../connectors/request-for-mail.ts'

export const releaseMessages = defineCommand({
  positionalUsage: { usage: '[ID]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: confirmedRequestOptions,
  details: `
Mail that waits keeps the TLS requirement of its first decision when the connector is deleted, disabled or loosened.
After a release only the current connectors apply, and the mail may leave in the clear. Give the id of a message, or
--connector with the name of an outbound connector, or the id of one that may be deleted.
`,
  run: (invocation) => confirmAndRequest('release', invocation),
})
