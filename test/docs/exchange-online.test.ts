/** The commands of docs/exchange-online.md exist, its connectors are valid, and its PowerShell parameters exist. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { commands, loadCommand } from '../../cli/commands.ts'
import { readConfiguration } from '../../cli/connectors/read-configuration.ts'
import { parseTenant } from '../../cli/exchange-online/tenant-host.ts'
import { tenantTemplate } from '../../cli/exchange-online/tenant-template.ts'
import { cmdletsIn } from '../support/powershell.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/exchange-online.md'), 'utf8')
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text = '']) => text)
const configuration = readConfiguration(blocks('yaml').join(''), 'page.yaml', {
  defaultRoute: 'Mx',
  prune: false,
})
const tenant = parseTenant('contoso')

describe('docs/exchange-online.md', () => {
  const lines = blocks('sh').flatMap((block) => [...block.matchAll(/^npx mailflow (.*)$/gm)])
  for (const [, line = ''] of lines)
    test(`has the command ${line}`, async () => {
      const listed = commands
        .filter(({ name }) => line.startsWith(`${name} `))
        .sort((a, b) => b.name.length - a.name.length)[0]
      assert.ok(listed)
      const { options } = await loadCommand(listed)
      const used = [...line.matchAll(/ --?([\w-]+)/g)].map(([, name = '']) => name)
      const known = Object.entries({ ...options, 'dry-run': {} }).flatMap(([name, option]) =>
        'short' in option && option.short !== undefined ? [name, option.short] : [name],
      )
      assert.deepEqual(
        used.filter((name) => !known.includes(name)),
        [],
      )
    })

  test('has the connectors that the template prints', () => {
    assert.ok(tenant)
    const template = tenantTemplate({
      tenant,
      domains: ['contoso.com'],
      tenantId: '72f988bf-86f1-41af-91ab-2d7cd011db47',
      gateway: 'mx.contoso.com',
    })
    for (const section of ['inboundConnectors', 'outboundConnectors'] as const) {
      const [onPage, printed] = [configuration[section]?.[0]?.fields, template[section]?.[0]?.fields]
      assert.deepEqual({ ...onPage, ...printed }, onPage)
    }
  })

  test('has cmdlets for both directions, with parameters that exist', () => {
    assert.deepEqual(
      blocks('powershell').flatMap((block) =>
        cmdletsIn(block).map(({ cmdlet, unknown }) => [cmdlet, unknown]),
      ),
      [
        ['New-OutboundConnector', []],
        ['New-InboundConnector', []],
      ],
    )
  })
})
