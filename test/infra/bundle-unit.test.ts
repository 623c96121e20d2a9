import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Bundle, bundle, units } from '../support/bundles.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-bundles-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Sources that no function needs when it starts, by the beginning of their path. */
const unusedAtStart = [
  // Sources of credentials that Lambda does not have.
  '@aws-sdk/credential-provider',
  '@aws-sdk/nested-clients/',
  '@aws-sdk/token-providers/',
  '@smithy/credential-provider-imds/',
  // Error texts in other languages: `import { z }` contains them, `import * as z` does not.
  ...['de', 'fr', 'ja', 'index'].map((language) => `zod/v4/locales/${language}.js`),
  // Loaded on first use.
  '@aws-sdk/client-sesv2/',
  'mailauth/',
  'joi/',
  'libmime/',
  'iconv-lite/',
  'tldts/',
  'postal-mime/',
  'nodemailer/dist/esm/mime-node/',
  // Only the local runner uses this SMTP client.
  'nodemailer/dist/esm/smtp-connection/',
]

const asn1 = ['asn1js/', '@peculiar/']
const dns = ['dns-packet/', 'shared/net/resolver.ts']
const queueHandler = ['@middy/', '@aws-lambda-powertools/batch/']
const s3 = ['@aws-sdk/client-s3/']
const smtp = ['shared/net/smtp/']
const sqs = ['@aws-sdk/client-sqs/']

interface Row {
  /** Limit of index.cjs, in octets. */
  readonly limit: number
  readonly without: readonly string[]
}

const rows: Record<string, Row> = {
  // A DNS resolver, and clients of S3, SQS, DynamoDB and Secrets Manager.
  'authenticate-message': { limit: 1_050_000, without: [...asn1, ...smtp] },
  // A DNS resolver, and clients of S3, SQS and DynamoDB.
  'bounce-message': { limit: 1_035_000, without: [...asn1, ...smtp] },
  // SMTP sessions with CRLs and OCSP.
  'check-recipient': { limit: 1_050_000, without: [...s3, ...sqs, ...queueHandler] },
  // Its OpenAPI document has the routes of all functions. It signs its requests to CloudWatch itself.
  'connector-api': { limit: 1_045_000, without: [...asn1, ...s3, ...dns, ...smtp] },
  console: { limit: 330_000, without: [...asn1, ...s3, ...sqs, ...dns, ...smtp, ...queueHandler] },
  // SMTP sessions with CRLs and OCSP, and clients of S3 and of six more services.
  'deliver-message': { limit: 1_560_000, without: ['nodemailer/dist/esm/mime-funcs/'] },
  // A reader and a writer of Parquet files, and clients of S3, SQS and DynamoDB.
  'erase-address': { limit: 1_200_000, without: [...asn1, ...dns, ...smtp, ...queueHandler] },
  'evaluate-policy': { limit: 1_000_000, without: [...asn1, ...s3, ...dns, ...smtp] },
  // A reader of Parquet files, the policy, and clients of S3, SQS, DynamoDB, Athena and Secrets Manager.
  'event-api': { limit: 1_370_000, without: [...asn1, ...dns, ...smtp] },
  'public-pages': { limit: 1_000_000, without: [...asn1, ...s3, ...sqs, ...dns, ...smtp, ...queueHandler] },
  'record-events': { limit: 1_000_000, without: [...asn1, ...dns, ...smtp, ...queueHandler] },
  'report-tls': { limit: 1_012_000, without: [...asn1, ...smtp, ...queueHandler] },
  // Queries of TLSA records.
  'rotate-certificate': { limit: 1_050_000, without: [...s3, ...sqs, ...smtp, ...queueHandler] },
  // A reader and a writer of Parquet files.
  'seal-hour': { limit: 1_120_000, without: [...asn1, ...sqs, ...dns, ...smtp, ...queueHandler] },
  'send-canary': { limit: 1_000_000, without: [...s3, ...sqs, ...queueHandler] },
  'send-summary': { limit: 1_100_000, without: [...asn1, ...dns, ...smtp, ...queueHandler] },
  // SMTP sessions with CRLs and OCSP, and findings about DNS records.
  'validate-connector': { limit: 1_280_000, without: [...s3, ...sqs] },
  'watch-expiry': { limit: 1_000_000, without: [...asn1, ...s3, ...sqs, ...dns, ...smtp, ...queueHandler] },
}

const bundles = new Map<string, Bundle>()
function bundleOf(unit: string): Bundle {
  const built = bundles.get(unit) ?? bundle(unit, folder)
  bundles.set(unit, built)
  return built
}

test('every function has a limit', () => assert.deepEqual(Object.keys(rows), units))

for (const [unit, { limit, without }] of Object.entries(rows)) {
  test(`the bundle of ${unit} contains nothing that the function does not need`, () => {
    const sources = [...bundleOf(unit).sources.keys()]
    const unneeded = [...unusedAtStart, ...without].filter((start) =>
      sources.some((source) => source.startsWith(start)),
    )
    assert.deepEqual(unneeded, [])
  })

  test(`the bundle of ${unit} is smaller than ${limit} octets`, () =>
    assert.ok(bundleOf(unit).size < limit, `${bundleOf(unit).size} octets`))
}

test('the stack trace of a bundle names the functions of the sources', () => {
  const { stderr } = spawnSync(process.execPath, [bundleOf('public-pages').path], {
    env: {},
    encoding: 'utf8',
  })
  assert.match(stderr, /^Error: environment: CONNECTORS_TABLE: .*\n {4}at readEnvironment \(/m)
})

for (const [unit, path, member] of [
  ['authenticate-message', 'mailauth/lib/arc/index.js', 'createSeal'],
  ['authenticate-message', 'mailauth/lib/dkim/dkim-verifier.js', 'DkimVerifier'],
  ['authenticate-message', 'mailauth/lib/spf/index.js', 'spf'],
  ['bounce-message', 'mailauth/lib/spf/index.js', 'spf'],
  ['deliver-message', 'mailauth/lib/dkim/verify.js', 'dkimVerify'],
  ['deliver-message', 'postal-mime', 'parse'],
  ['deliver-message', '@aws-sdk/client-sesv2', 'SendEmailCommand'],
  ['report-tls', 'mailauth/lib/dkim/sign.js', 'dkimSign'],
  ['report-tls', 'nodemailer/lib/mime-node', 'prototype'],
  ['validate-connector', 'mailauth/lib/spf/index.js', 'spf'],
  ['validate-connector', 'nodemailer/lib/mime-node', 'prototype'],
] as const)
  test(`the bundle of ${unit} contains ${path}, which is loaded on first use`, () => {
    const requireFrom = createRequire(bundleOf(unit).path)
    assert.ok(requireFrom.resolve(path).startsWith(folder))
    assert.ok(member in requireFrom(path))
  })
