import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { nextCursorOf, readCsv } from '../../../../../functions/console/app/api/csv-pages.ts'

describe('pages of a list as CSV', () => {
  test('become one text with one line of headings', async () => {
    const pages = {
      first: { text: 'h\r\n1\r\n', nextCursor: 'second' },
      second: { text: 'h\r\n2\r\n', nextCursor: null },
    }
    const read = await readCsv(async (cursor = 'first') => pages[cursor as keyof typeof pages])
    assert.deepEqual(read, { text: 'h\r\n1\r\n2\r\n', isComplete: true })
  })

  test('are cut after fifty', async () => {
    let reads = 0
    const { isComplete } = await readCsv(async () => {
      reads += 1
      return { text: 'h\n', nextCursor: 'next' }
    })
    assert.deepEqual([reads, isComplete], [50, false])
  })

  test('name the next page in the header link', () => {
    assert.equal(nextCursorOf('</messages?limit=3&cursor=ab%3D>; rel="next"'), 'ab=')
    assert.equal(nextCursorOf(null), null)
    assert.equal(nextCursorOf('</messages>; rel="prev"'), null)
  })
})
