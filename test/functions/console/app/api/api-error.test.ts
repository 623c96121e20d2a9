/** Answers of the API, of API Gateway and of proxies in its place. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ApiError,
  conflictHeader,
  readCsvText,
  readJson,
  toApiError,
  unsavedHeader,
} from '../../../../../functions/console/app/api/api-error.ts'

const answer = (status: number, body: unknown) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status })

const page = '\n<!doctype html><title>Sign in to the network</title>'

describe('a change without success', () => {
  for (const [status, header] of [
    [0, 'It is not known whether the change was saved'],
    [503, 'It is not known whether the change was saved'],
    [422, 'The change is not saved'],
    [403, 'The change is not saved'],
  ] as const)
    test(`${status}: ${header}`, () => assert.equal(unsavedHeader(new ApiError(status, 'No.')), header))

  test('that conflicts is not called the change of another if an earlier answer was lost', () => {
    assert.equal(conflictHeader('connector', false), 'Another person or program has changed this connector')
    assert.equal(conflictHeader('domain', true), 'This domain has changed, perhaps by your first attempt')
  })
})

describe('an answer without success', () => {
  const rows: [title: string, status: number, body: unknown, text: RegExp][] = [
    ['says what the API says', 409, { detail: 'The name is taken.' }, /^The name is taken\.$/],
    ['says more than the word of API Gateway', 401, { message: 'Unauthorized' }, /^Your session has ended/],
    ['says that requests are limited', 429, { message: 'Too Many Requests' }, /Wait a minute/],
    ['says that the API failed', 503, { message: 'Service Unavailable' }, /^The API failed \(503\)\. Try/],
    ['says what may have removed If-Match', 428, { detail: 'If-Match is missing.' }, /^Nothing was changed/],
    ['does not show the page of a proxy', 502, page, /^The API failed \(502\)\. Try/],
    ['survives a text where a list belongs', 422, { detail: 'No.', errors: 'x' }, /^No\.$/],
    ['survives an object where a text belongs', 400, { detail: {} }, /answered with 400/],
    ['survives null', 404, 'null', /may have been deleted/],
  ]
  for (const [title, status, body, text] of rows)
    test(title, async () => {
      const error = await toApiError(answer(status, body))
      assert.equal(error.status, status)
      assert.match(error.message, text)
    })

  test('names the faults in fields, and leaves out what is none', async () => {
    const errors = [{ path: 'to', message: 'is too early' }, null, { path: 7, message: 'x' }]
    const { faults } = await toApiError(answer(422, { detail: 'Wrong.', errors }))
    assert.deepEqual(faults, [{ path: 'to', message: 'is too early' }])
  })
})

describe('an answer with success', () => {
  test('is an object', async () =>
    assert.deepEqual(await readJson(answer(200, { items: [] })), { items: [] }))

  test('may be empty', async () =>
    assert.equal(await readJson(new Response(null, { status: 204 })), undefined))

  for (const [title, body, text] of [
    ['the page of a proxy', page, /A page came in place/],
    ['a part of JSON', '{"items":[', /incomplete/],
    ['null', 'null', /incomplete/],
    ['nothing', '', /incomplete/],
  ] as const)
    test(`is refused if it is ${title}`, () =>
      assert.rejects(readJson(answer(200, body)), (error: unknown) => {
        assert.ok(error instanceof ApiError)
        assert.match(error.message, text)
        return true
      }))

  test('is not saved as a file if it is the page of a proxy', () =>
    assert.rejects(readCsvText(answer(200, page)), ApiError))
})
