/**
 * The pages of docs/generated/, each generated from the code that it documents, the section on cost in the README, and the
 * types of the API that the console uses. Run as a program (`npm run docs`), this file writes them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiPage } from './api.ts'
import { apiRolesPage } from './api-roles.ts'
import { commandsPage } from './commands.ts'
import { conformancePage } from './conformance.ts'
import { consoleTypes } from './console-types.ts'
import { withCostSection } from './cost.ts'
import { dsnAdvicePage } from './dsn-advice.ts'
import { eventsPage } from './events.ts'
import { keyPolicyPage } from './key-policy.ts'
import { metricsAndAlarmsPage } from './metrics-and-alarms.ts'
import { repliesPage } from './replies.ts'
import { rfcsPage } from './rfcs.ts'
import { settingsPage } from './settings.ts'
import { tlsLevelsPage } from './tls-levels.ts'

export const folder = join(import.meta.dirname, '../../docs/generated')

export const consoleTypesFile = join(import.meta.dirname, '../../functions/console/app/api/types.ts')

export const readme = join(import.meta.dirname, '../../README.md')

export const pages: Readonly<Record<string, () => string>> = {
  'api.md': apiPage,
  'api-roles.md': apiRolesPage,
  'commands.md': commandsPage,
  'conformance.md': conformancePage,
  'dsn-advice.md': dsnAdvicePage,
  'events.md': eventsPage,
  'key-policy.md': keyPolicyPage,
  'metrics-and-alarms.md': metricsAndAlarmsPage,
  'replies.md': repliesPage,
  'rfcs.md': rfcsPage,
  'settings.md': settingsPage,
  'tls-levels.md': tlsLevelsPage,
}

if (import.meta.main) {
  mkdirSync(folder, { recursive: true })
  for (const [file, page] of Object.entries(pages)) writeFileSync(join(folder, file), page())
  writeFileSync(readme, withCostSection(readFileSync(readme, 'utf8')))
  writeFileSync(consoleTypesFile, await consoleTypes())
}
