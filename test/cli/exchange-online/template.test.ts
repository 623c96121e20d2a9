import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readConfiguration } from '../../../cli/connectors/read-configuration.ts'
import { mailflow } from '../../support/cli/mailflow.ts'
import { cmdletsIn } from '../../support/powershell.ts'

const template = (...args: string[]) =>
  mailflow(['connectors', 'template', 'exchange-online', 'contoso', '--domain', 'ours.example', ...args])
const read = (file: string) => readConfiguration(file, 'c.yaml', { defaultRoute: 'Mx', prune: false })
const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47'

describe('`connectors template exchange-online`', () => {
  test('prints a valid file with a connector for each direction', async () => {
    const { status, out } = await template(
      '--domain',
      'Branch.example',
      '--tenant-id',
      tenantId.toUpperCase(),
    )
    assert.equal(status, 0)
    const { acceptedDomains, inboundConnectors, outboundConnectors } = read(out)
    assert.deepEqual(
      acceptedDomains?.map(({ label }) => label),
      ['ours.example', 'branch.example'],
    )
    const [inbound, outbound] = [inboundConnectors?.[0]?.fields, outboundConnectors?.[0]?.fields]
    assert.deepEqual(inbound?.exchangeOnline, {
      tenantIds: [tenantId],
      originatorOrganizations: ['ours.example', 'branch.example', 'contoso.onmicrosoft.com'],
    })
    assert.deepEqual(inbound?.senderDomains, ['ours.example', 'branch.example'])
    assert.deepEqual(
      [outbound?.smartHosts, outbound?.tlsSettings, outbound?.tlsDomain],
      [
        [{ host: 'contoso.mail.protection.outlook.com', port: 25 }],
        'DomainValidation',
        'contoso.mail.protection.outlook.com',
      ],
    )
  })

  test('without a tenant id prints a placeholder, which `connectors apply` refuses', async () => {
    const { out } = await template()
    assert.match(out, /Microsoft Entra admin center/)
    assert.throws(
      () => read(out),
      (error: { lines?: string[] }) =>
        /"From Exchange Online": exchangeOnline\.tenantIds\[0\]: not a tenant id/.test(
          error.lines?.[0] ?? '',
        ),
    )
  })

  test('names the certificate of the national cloud', async () => {
    const { out } = await mailflow([
      ...['connectors', 'template', 'exchange-online', 'contoso.onmicrosoft.us', '--domain', 'ours.example'],
      ...['--tenant-id', tenantId],
    ])
    assert.deepEqual(read(out).inboundConnectors?.[0]?.fields.tlsSenderCertificateNames, [
      'mail.protection.office365.us',
    ])
  })

  test('has the commands for the tenant as comments, with parameters that exist', async () => {
    const { out } = await template('--gateway', 'mx.ours.example')
    const comments = out.replaceAll(/^# ?/gm, '')
    const cmdlets = cmdletsIn(comments)
    assert.deepEqual(
      cmdlets.map(({ cmdlet, unknown }) => [cmdlet, unknown]),
      [
        ['New-OutboundConnector', []],
        ['New-InboundConnector', []],
      ],
    )
    assert.match(comments, /-RestrictDomainsToCertificate \$true -TlsSenderCertificateName mx\.ours\.example/)
    assert.match(comments, /npx mailflow check exchange-online contoso\.onmicrosoft\.com --send /)
  })

  for (const [args, fault] of [
    [['gmail', 'contoso', '--domain', 'ours.example'], /unknown template "gmail"/],
    [['exchange-online', 'contoso.com', '--domain', 'ours.example'], /contoso\.com: not a tenant/],
    [['exchange-online', 'contoso'], /requires --domain/],
    [['exchange-online', 'contoso', '--domain', '*'], /--domain \*: not a domain name/],
    [
      ['exchange-online', 'contoso', '--domain', 'a.example', '--tenant-id', '1'],
      /--tenant-id 1: not a GUID/,
    ],
  ] as const)
    test(`refuses ${args.join(' ')}`, async () => {
      const { status, err } = await mailflow(['connectors', 'template', ...args])
      assert.equal(status, 2)
      assert.match(err, fault)
    })
})
