import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAccepted, replyTo } from '../../../support/ingress/lines.ts'

describe('parameters of MAIL', () => {
  const defaults = {
    size: 0,
    mailFrom: 'a@b.example',
    smtpUtf8: false,
    eightBitMime: false,
    requireTls: false,
    ret: null,
    envid: null,
  }
  const acceptedRows: [parameters: string, values: Partial<Record<keyof typeof defaults, unknown>>][] = [
    ['', {}],
    ['   ', {}],
    [' SIZE=0', {}],
    [' SIZE=1000', { size: 1000 }],
    [' size=1000', { size: 1000 }],
    [' SIZE=00000000000000001000', { size: 1000 }],
    [' SIZE=99999999999999999999', { size: 1e20 }],
    [' BODY=7BIT', {}],
    [' BODY=8BITMIME', { eightBitMime: true }],
    [' body=8bitmime', { eightBitMime: true }],
    [' SMTPUTF8', { smtpUtf8: true }],
    [' SmtpUtf8', { smtpUtf8: true }],
    [' REQUIRETLS', { requireTls: true }],
    [' RET=FULL', { ret: 'FULL' }],
    [' ret=hdrs', { ret: 'HDRS' }],
    [' ENVID=QQ314159', { envid: 'QQ314159' }],
    [' ENVID=a+2Bb+3Dc+20d', { envid: 'a+b=c d' }],
    [' ENVID=a;b<c>@"d"', { envid: 'a;b<c>@"d"' }],
    [` ENVID=${'x'.repeat(100)}`, { envid: 'x'.repeat(100) }],
    [` ENVID=${'+2B'.repeat(100)}`, { envid: '+'.repeat(100) }],
    [
      '  SIZE=5  BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=FULL ENVID=x ',
      { size: 5, eightBitMime: true, smtpUtf8: true, requireTls: true, ret: 'FULL', envid: 'x' },
    ],
  ]
  for (const [parameters, values] of acceptedRows)
    it(`${JSON.stringify(parameters.slice(0, 60))} are accepted`, () => {
      const command = parseAccepted(`MAIL FROM:<a@b.example>${parameters}`)
      assert.ok('envelope' in command)
      const { dsn, ...envelope } = command.envelope
      assert.deepEqual({ size: command.size, ...envelope, ...dsn }, { ...defaults, ...values })
    })

  const badSize = '501 5.5.4 Bad message size syntax'
  const badEnvid = '501 5.5.4 Bad ENVID parameter syntax'
  const refusedRows: [parameters: string, reply: string][] = [
    ['SIZE', '501 5.5.4 SIZE parameter requires a value'],
    ['SIZE=', '501 5.5.4 SIZE parameter requires a value'],
    ['SIZE=-1', badSize],
    ['SIZE=1.5', badSize],
    ['SIZE=1e3', badSize],
    ['SIZE=0x10', badSize],
    ['SIZE=１０', badSize],
    ['SIZE=1=2', badSize],
    ['SIZE=100000000000000000000', badSize],
    ['SIZE=1 SIZE=1', '501 5.5.4 Duplicate SIZE parameter'],
    ['SMTPUTF8 smtputf8', '501 5.5.4 Duplicate SMTPUTF8 parameter'],
    ['BODY', '501 5.5.4 BODY parameter requires a value'],
    ['BODY=BINARYMIME', '555 5.5.4 BODY=BINARYMIME is not offered, send 7BIT or 8BITMIME'],
    ['BODY=8BıTMIME', '501 5.5.4 Invalid BODY parameter value. Must be 7BIT or 8BITMIME'],
    ['SMTPUTF8=YES', '501 5.5.4 Invalid SMTPUTF8 parameter. This flag does not accept a value'],
    ['SMTPUTF8=', '501 5.5.4 Invalid SMTPUTF8 parameter. This flag does not accept a value'],
    ['REQUIRETLS=YES', '501 5.5.4 Invalid REQUIRETLS parameter. This flag does not accept a value'],
    ['RET', '501 5.5.4 RET parameter requires a value'],
    ['RET=SOME', '501 5.5.4 Invalid RET parameter value. Must be FULL or HDRS'],
    ['RET=FULL,HDRS', '501 5.5.4 Invalid RET parameter value. Must be FULL or HDRS'],
    ['ENVID=', '501 5.5.4 ENVID parameter requires a value'],
    ['ENVID=a+', badEnvid],
    ['ENVID=a+2', badEnvid],
    ['ENVID=a+2b', badEnvid],
    ['ENVID=a+2G', badEnvid],
    ['ENVID=a=b', badEnvid],
    ['ENVID=a+0D+0Ab', badEnvid],
    ['ENVID=a+00', badEnvid],
    ['ENVID=a+09', badEnvid],
    ['ENVID=a+7F', badEnvid],
    ['ENVID=a+C3+B6', badEnvid],
    ['ENVID=ö', badEnvid],
    [`ENVID=${'x'.repeat(101)}`, '501 5.5.4 Parameter ENVID is too long'],
    [`ENVID=${'+2B'.repeat(101)}`, '501 5.5.4 Parameter ENVID is too long'],
    [`ENVID=${'+'.repeat(60_000)}`, '501 5.5.4 Parameter ENVID is too long'],
    ['HOLDFOR=60', '555 5.5.4 Parameter HOLDFOR is not recognized'],
    ['AUTH=<>', '555 5.5.4 Parameter AUTH is not recognized'],
    ['NOTIFY=NEVER', '555 5.5.4 Parameter NOTIFY is not recognized'],
    ['SIZE=1 x-y=z', '555 5.5.4 Parameter X-Y is not recognized'],
    ['=1', '555 5.5.4 Parameter given is not recognized'],
    ['<script>', '555 5.5.4 Parameter given is not recognized'],
    ['ſIZE=1', '555 5.5.4 Parameter given is not recognized'],
    ['__PROTO__=1', '555 5.5.4 Parameter given is not recognized'],
    ['CONSTRUCTOR', '555 5.5.4 Parameter CONSTRUCTOR is not recognized'],
    ['X'.repeat(31), '555 5.5.4 Parameter given is not recognized'],
    ['<b@b.example>', '555 5.5.4 Parameter given is not recognized'],
  ]
  for (const [parameters, reply] of refusedRows)
    it(`${JSON.stringify(parameters.slice(0, 60))} get ${reply}`, () =>
      assert.equal(replyTo(`MAIL FROM:<a@b.example> ${parameters}`), reply))
})

describe('parameters of RCPT', () => {
  const acceptedRows: [parameters: string, notify: string[] | null, orcpt: string | null][] = [
    ['', null, null],
    [' NOTIFY=NEVER', ['NEVER'], null],
    [' notify=success', ['SUCCESS'], null],
    [' NOTIFY=DELAY,FAILURE,SUCCESS', ['DELAY', 'FAILURE', 'SUCCESS'], null],
    [' NOTIFY=FAILURE,FAILURE', ['FAILURE'], null],
    [' ORCPT=rfc822;b@ours.example', null, 'rfc822;b@ours.example'],
    [' ORCPT=rfc822;b+2Btag+3D1@ours.example', null, 'rfc822;b+2Btag+3D1@ours.example'],
    [' ORCPT=RFC822;+62@ours.example', null, 'RFC822;+62@ours.example'],
    [' ORCPT=utf-8;jörg@ours.example', null, 'utf-8;j\\x{F6}rg@ours.example'],
    [' ORCPT=utf-8;j\\x{F6}rg@ours.example', null, 'utf-8;j\\x{F6}rg@ours.example'],
    [' ORCPT=UTF-8;😀', null, 'UTF-8;\\x{1F600}'],
    [` ORCPT=rfc822;${'x'.repeat(493)}`, null, `rfc822;${'x'.repeat(493)}`],
    [' NOTIFY=SUCCESS ORCPT=rfc822;b@c ', ['SUCCESS'], 'rfc822;b@c'],
  ]
  for (const [parameters, notify, orcpt] of acceptedRows)
    it(`${JSON.stringify(parameters.slice(0, 60))} are accepted`, () => {
      const command = parseAccepted(`RCPT TO:<b@ours.example>${parameters}`)
      assert.ok('recipient' in command)
      assert.deepEqual(command.recipient, { address: 'b@ours.example', notify, orcpt })
    })

  const badOrcpt = '501 5.5.4 Bad ORCPT parameter syntax'
  const badNotify = '501 5.5.4 NOTIFY parameter must be NEVER, SUCCESS, FAILURE, or DELAY'
  const refusedRows: [parameters: string, reply: string][] = [
    ['NOTIFY', '501 5.5.4 NOTIFY parameter requires a value'],
    ['NOTIFY=', '501 5.5.4 NOTIFY parameter requires a value'],
    ['NOTIFY=ALWAYS', badNotify],
    ['NOTIFY=SUCCESS,', badNotify],
    ['NOTIFY=,', badNotify],
    ['NOTIFY=ſUCCESS', badNotify],
    ['NOTIFY=NEVER,FAILURE', '501 5.5.4 NOTIFY=NEVER cannot be combined with other values'],
    ['NOTIFY=NEVER,NEVER', '501 5.5.4 NOTIFY=NEVER cannot be combined with other values'],
    ['NOTIFY=SUCCESS NOTIFY=SUCCESS', '501 5.5.4 Duplicate NOTIFY parameter'],
    ['ORCPT', '501 5.5.4 ORCPT parameter requires a value'],
    ['ORCPT=nonsense', badOrcpt],
    ['ORCPT=;b@c', badOrcpt],
    ['ORCPT=rfc822;', badOrcpt],
    ['ORCPT=rfc 822;b', badOrcpt],
    ['ORCPT=rfc(822);b', badOrcpt],
    ['ORCPT=utf–8;b', badOrcpt],
    ['ORCPT=rfc822;b+tag@c', badOrcpt],
    ['ORCPT=rfc822;b=c', badOrcpt],
    ['ORCPT=x400;/c=us/', badOrcpt],
    ['ORCPT=rfc822;b+0D+0AX', badOrcpt],
    ['ORCPT=rfc822;b+C3+B6', badOrcpt],
    ['ORCPT=rfc822;jörg@c', badOrcpt],
    [`ORCPT=rfc822;${'x'.repeat(494)}`, '501 5.5.4 Parameter ORCPT is too long'],
    [`ORCPT=utf-8;${'é'.repeat(100)}`, '501 5.5.4 Parameter ORCPT is too long'],
    ['ORCPT=rfc822;a ORCPT=rfc822;a', '501 5.5.4 Duplicate ORCPT parameter'],
    ['SIZE=1', '555 5.5.4 Parameter SIZE is not recognized'],
    ['FUTURE', '555 5.5.4 Parameter FUTURE is not recognized'],
  ]
  for (const [parameters, reply] of refusedRows)
    it(`${JSON.stringify(parameters.slice(0, 60))} get ${reply}`, () =>
      assert.equal(replyTo(`RCPT TO:<b@ours.example> ${parameters}`), reply))
})
