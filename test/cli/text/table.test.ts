import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { displayWidth } from '../../../cli/text/display-width.ts'
import { alignColumns, type Column, table } from '../../../cli/text/table.ts'

const columns: readonly Column[] = [
  { heading: 'Time' },
  { heading: 'To', minWidth: 8 },
  { heading: 'Reason', minWidth: 6 },
  { heading: 'Id' },
]
const rows = [
  ['11:00', 'ann@ours.example', 'TLS not met', '01M8NSH1'],
  ['11:01', '日本@例え.example', 'in the clear', '01M8NSH2'],
]

describe('a table', () => {
  const cases: { name: string; width: number | undefined; lines: string[] }[] = [
    {
      name: 'without a terminal is whole, one line for each row',
      width: undefined,
      lines: [
        'Time   To                 Reason        Id',
        '11:00  ann@ours.example   TLS not met   01M8NSH1',
        '11:01  日本@例え.example  in the clear  01M8NSH2',
      ],
    },
    {
      name: 'that fits exactly is whole',
      width: 48,
      lines: [
        'Time   To                 Reason        Id',
        '11:00  ann@ours.example   TLS not met   01M8NSH1',
        '11:01  日本@例え.example  in the clear  01M8NSH2',
      ],
    },
    {
      name: 'that is one column too wide is cut in the column to the right that may be cut',
      width: 47,
      lines: [
        'Time   To                 Reason       Id',
        '11:00  ann@ours.example   TLS not met  01M8NSH1',
        '11:01  日本@例え.example  in the cle…  01M8NSH2',
      ],
    },
    {
      name: 'is cut in the column to the left only when the column to the right has its minimum',
      width: 41,
      lines: [
        'Time   To                Reason  Id',
        '11:00  ann@ours.example  TLS n…  01M8NSH1',
        '11:01  日本@例え.examp…  in th…  01M8NSH2',
      ],
    },
    {
      name: 'that does not fit when it is cut continues on a second line, where columns grow again',
      width: 30,
      lines: [
        'Time   To               Reason',
        '  Id',
        '11:00  ann@ours.examp…  TLS n…',
        '  01M8NSH1',
        '11:01  日本@例え.exam…  in th…',
        '  01M8NSH2',
      ],
    },
    {
      name: 'in a terminal narrower than an id has the id whole',
      width: 7,
      lines: [
        'Time',
        '  To',
        '  Reason',
        '  Id',
        '11:00',
        '  ann@our…',
        '  TLS n…',
        '  01M8NSH1',
        '11:01',
        '  日本@例…',
        '  in th…',
        '  01M8NSH2',
      ],
    },
  ]
  for (const { name, width, lines } of cases)
    test(name, () => assert.deepEqual(table(columns, rows, width).split('\n'), lines))

  test('has numbers at the right of their columns, also on a further line', () => {
    const numbers: readonly Column[] = [
      { heading: 'To', minWidth: 4 },
      { heading: 'Messages', isRightAligned: true },
    ]
    const counts = [
      ['ann', '7'],
      ['日本', '1234'],
    ]
    assert.deepEqual(table(numbers, counts, undefined).split('\n'), [
      'To    Messages',
      'ann          7',
      '日本      1234',
    ])
    assert.deepEqual(table(numbers, counts, 10).split('\n'), [
      'To',
      '  Messages',
      'ann',
      '         7',
      '日本',
      '      1234',
    ])
  })

  test('leaves out a further line without text', () => {
    assert.deepEqual(
      table(columns, [['11:00', 'ann', 'none', '']], 20)
        .split('\n')
        .slice(-1),
      ['11:00  ann  none'],
    )
  })

  test('fits a terminal in which each column fits alone, and has every cell that is never cut', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 40 })
    const anyRow = fc.tuple(fc.string({ maxLength: 8 }), cell, cell, fc.stringMatching(/^[0-9A-Z]{26}$/))
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 4 }), fc.integer({ min: 28, max: 200 }), (anyRows, width) => {
        const text = table(columns, anyRows, width)
        for (const line of text.split('\n')) assert(displayWidth(line) <= width, line)
        for (const [, , , id] of anyRows) assert(text.includes(id))
      }),
    )
  })
})

test('columns are aligned by the width in a terminal, not by the number of characters', () => {
  const aligned = [
    ['日本', 'a'],
    ['Mu\u0308ller', 'b'],
  ]
  assert.equal(alignColumns(aligned), '日本    a\nMu\u0308ller  b')
})
