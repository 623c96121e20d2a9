import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseTenant } from '../../../cli/exchange-online/tenant-host.ts'

const rows: [text: string, host: string | null, initialDomain: string | null][] = [
  ['contoso', 'contoso.mail.protection.outlook.com', 'contoso.onmicrosoft.com'],
  ['Contoso.onmicrosoft.com', 'contoso.mail.protection.outlook.com', 'contoso.onmicrosoft.com'],
  ['contoso.onmicrosoft.us', 'contoso.mail.protection.office365.us', 'contoso.onmicrosoft.us'],
  [
    'contoso.partner.onmschina.cn',
    'contoso.mail.protection.partner.outlook.cn',
    'contoso.partner.onmschina.cn',
  ],
  ['contoso-com.mail.protection.outlook.com', 'contoso-com.mail.protection.outlook.com', null],
  ['contoso.com', null, null],
  ['contoso.mail.onmicrosoft.com', null, null],
  ['onmicrosoft.com', null, null],
  ['con toso', null, null],
  ['', null, null],
]

describe('the tenant', () => {
  for (const [text, host, initialDomain] of rows)
    test(`"${text}" has ${host ?? 'no host'}`, () => {
      const tenant = parseTenant(text)
      assert.deepEqual([tenant?.host ?? null, tenant?.initialDomain ?? null], [host, initialDomain])
    })
})
