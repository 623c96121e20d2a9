import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandError } from '../../../cli/command-error.ts'
import { readRecipients } from '../../../cli/recipients/read-recipients.ts'

const files: [title: string, text: string, localParts: string[], otherDomains: number][] = [
  [
    'a text with comments, empty lines, local parts and repetitions',
    '# mailboxes\r\nAnna@Ours.example\r\n\r\nbert # the new one\r\nANNA\r\n',
    ['anna', 'bert'],
    0,
  ],
  ['a text without a line end', 'anna@ours.example', ['anna'], 0],
  [
    'a CSV file of Get-Recipient',
    '"PrimarySmtpAddress","EmailAddresses"\r\n' +
      '"Anna@ours.example","SMTP:Anna@ours.example;smtp:a.berg@ours.example;X400:C=US;A= ;P=Ours;smtp:anna@branch.example"\r\n' +
      '"bert@branch.example","SMTP:bert@branch.example;smtp:bert@ours.example;SIP:bert@ours.example"\r\n',
    ['anna', 'a.berg', 'bert'],
    2,
  ],
  [
    'a CSV file of Windows PowerShell, with its type, another delimiter and further columns',
    '#TYPE Selected.Microsoft.Exchange.Data\n"Name";"PrimarySmtpAddress"\n"Berg; ""Anna""\nOslo";"anna@ours.example"\n\n"B";""\n',
    ['anna'],
    0,
  ],
  [
    'a CSV file without quotes',
    'primarysmtpaddress\nanna@ours.example\nbert@ours.example\n',
    ['anna', 'bert'],
    0,
  ],
  [
    'a CSV file with addresses that spaces separate',
    'Name,EmailAddresses\nAnna,smtp:anna@ours.example SMTP:a@ours.example\n',
    ['anna', 'a'],
    0,
  ],
  [
    'a CSV file with a byte order mark, and a quote within a cell',
    '\ufeffName,PrimarySmtpAddress\nAnna "A" Berg,anna@ours.example\nBert,bert@ours.example\n',
    ['anna', 'bert'],
    0,
  ],
]
for (const [title, text, localParts, otherDomains] of files)
  test(`the recipients of ${title} are read`, () => {
    const read = readRecipients(text, 'file', 'ours.example')
    assert.deepEqual([[...read.localParts], read.otherDomains], [localParts, otherDomains])
  })

const faults: [title: string, text: string, lines: RegExp][] = [
  [
    'an address of another domain in a text',
    'anna@ours.example\nbert@branch.example',
    /^file:2: .*not an address of ours/,
  ],
  [
    'a faulty address in a CSV file',
    'PrimarySmtpAddress\n"a b@ours.example"\n',
    /^file:2: "a b@ours.example" is not an address/,
  ],
  [
    'a list that PowerShell did not write out',
    'PrimarySmtpAddress,EmailAddresses\na@ours.example,System.Collections.ArrayList\n',
    /-join ';'/,
  ],
  ['a hundred faults', 'a b\n'.repeat(100), /^file:20: [^\n]*\n…$/m],
]
for (const [title, text, lines] of faults)
  test(`${title} is an error with its line`, () => {
    assert.throws(
      () => readRecipients(text, 'file', 'ours.example'),
      (error) => error instanceof CommandError && lines.test(error.lines.join('\n')),
    )
  })

test('a CSV row that cannot be read is an error, so that no recipient is lost', () => {
  const text = 'Name,PrimarySmtpAddress\nA,a@ours.example\n"Anna "A" Berg",anna@ours.example\n'
  assert.throws(() => readRecipients(text, 'file', 'ours.example'), /^Error: line 3: a quote/)
})
