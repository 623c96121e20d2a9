/** Lists all commands in the order of the help. A new command is a file in commands/ and a line in this list. */
import type { Command } from './command.ts'
import { certificates } from './commands/certificates.ts'
import { observedCertificates } from './commands/certificates-observed.ts'
import { check } from './commands/check.ts'
import { applyConnectors } from './commands/connectors-apply.ts'
import { deleteConnector } from './commands/connectors-delete.ts'
import { disableConnector } from './commands/connectors-disable.ts'
import { enableConnector } from './commands/connectors-enable.ts'
import { exportConnectors } from './commands/connectors-export.ts'
import { getConnector } from './commands/connectors-get.ts'
import { importExchange } from './commands/connectors-import-exchange.ts'
import { listConnectors } from './commands/connectors-list.ts'
import { setConnector } from './commands/connectors-set.ts'
import { validateConnector } from './commands/connectors-validate.ts'
import { dns } from './commands/dns.ts'
import { explain } from './commands/explain.ts'
import { messages } from './commands/messages.ts'
import { releaseMessages } from './commands/messages-release.ts'
import { returnMessages } from './commands/messages-return.ts'
import { retry } from './commands/retry.ts'
import { tlsReports } from './commands/tls-reports.ts'

export const commands: readonly Command[] = [
  listConnectors,
  getConnector,
  validateConnector,
  applyConnectors,
  setConnector,
  enableConnector,
  disableConnector,
  deleteConnector,
  exportConnectors,
  importExchange,
  explain,
  check,
  messages,
  releaseMessages,
  returnMessages,
  retry,
  tlsReports,
  certificates,
  observedCertificates,
  dns,
]
