import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolvePostmaster } from '../../../shared/policy/postmaster.ts'
import { compileSnapshot } from '../../../shared/policy/snapshot.ts'
import { snapshot } from '../../support/fixtures.ts'

interface Row {
  title: string
  address?: string
  hostname?: string
  mailbox?: string
  acceptedDomains?: string[]
  expected: string
}

const rows: Row[] = [
  { title: 'postmaster without a domain', address: 'PostMaster', expected: 'postmaster@ours.example' },
  { title: "the host name's postmaster", expected: 'postmaster@ours.example' },
  {
    title: "the host name's postmaster in another letter case",
    address: 'POSTMASTER@Mx.Ours.Example',
    expected: 'postmaster@ours.example',
  },
  {
    title: "the host name's postmaster with a quoted local part",
    address: '"Postmaster"@mx.ours.example',
    expected: 'postmaster@ours.example',
  },
  {
    title: "the host name's postmaster, when several accepted domains contain the host name",
    hostname: 'mx.eu.ours.example',
    address: 'postmaster@mx.eu.ours.example',
    acceptedDomains: ['alpha.example', 'ours.example', 'eu.ours.example'],
    expected: 'postmaster@eu.ours.example',
  },
  {
    title: "the host name's postmaster, when the host name is an accepted domain",
    acceptedDomains: ['alpha.example', 'mx.ours.example', 'ours.example'],
    expected: 'postmaster@mx.ours.example',
  },
  {
    title: "the host name's postmaster, when no accepted domain contains the host name",
    acceptedDomains: ['zeta.example', 'alpha.example', 'x.ours.example'],
    expected: 'postmaster@alpha.example',
  },
  {
    title: "the host name's postmaster, when there is no accepted domain",
    acceptedDomains: [],
    expected: 'postmaster@mx.ours.example',
  },
  {
    title: 'postmaster without a domain, when a mailbox is configured',
    address: 'postmaster',
    mailbox: 'Ops@ours.example',
    expected: 'Ops@ours.example',
  },
  {
    title: "the host name's postmaster, when a mailbox is configured and the host name is an accepted domain",
    mailbox: 'ops@ours.example',
    acceptedDomains: ['mx.ours.example'],
    expected: 'ops@ours.example',
  },
  {
    title: "an accepted domain's postmaster, when a mailbox is configured",
    address: 'Postmaster@ours.example',
    mailbox: 'ops@ours.example',
    expected: 'Postmaster@ours.example',
  },
  {
    title: "another host's postmaster",
    address: 'postmaster@mx2.ours.example',
    expected: 'postmaster@mx2.ours.example',
  },
  {
    title: 'another mailbox of the host name',
    address: 'abuse@mx.ours.example',
    expected: 'abuse@mx.ours.example',
  },
  {
    title: 'a quoted local part that contains the address',
    address: '"postmaster@mx.ours.example"@mx.ours.example',
    expected: '"postmaster@mx.ours.example"@mx.ours.example',
  },
  {
    title: 'a local part with a letter that only looks like s',
    address: 'po\u017ftmaster@mx.ours.example',
    expected: 'po\u017ftmaster@mx.ours.example',
  },
  {
    title: 'an address literal',
    address: 'postmaster@[192.0.2.1]',
    expected: 'postmaster@[192.0.2.1]',
  },
]
for (const {
  title,
  address = 'postmaster@mx.ours.example',
  hostname = 'mx.ours.example',
  mailbox = null,
  acceptedDomains = ['alpha.example', 'ours.example'],
  expected,
} of rows)
  test(`the mailbox for ${title} is ${expected}`, () =>
    assert.equal(resolvePostmaster(address, snapshot({ acceptedDomains }), { hostname, mailbox }), expected))

test("the host name's postmaster does not move when another domain is accepted", () => {
  const domain = (name: string, createdAt: string) => ({ domain: name, createdAt })
  const acceptedDomains = [
    domain('zeta.example', '2026-01-01T00:00:00Z'),
    domain('alpha.example', '2026-02-01T00:00:00Z'),
  ]
  const connectors = compileSnapshot({ version: 1, inbound: [], outbound: [], acceptedDomains })
  const settings = { hostname: 'mx.ours.example', mailbox: null }
  assert.equal(resolvePostmaster('postmaster', connectors, settings), 'postmaster@zeta.example')
})
