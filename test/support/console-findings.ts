/** What a text of a stranger must not bring into a page. An expression for the browser. */

/** Elements that only a text could have brought, and characters that hide or reorder others. */
export const findings = `(() => {
  const hidden = /[\\u202A-\\u202E\\u2066-\\u2069\\u200B\\u0000-\\u0008\\u001B]/
  const found = []
  for (const element of document.querySelectorAll('img, script:not([src^="/console/"]), iframe, [onerror]'))
    found.push(element.outerHTML.slice(0, 100))
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode())
    if (hidden.test(walker.currentNode.data))
      found.push('text of ' + walker.currentNode.parentElement.outerHTML.slice(0, 200))
  for (const element of document.querySelectorAll('[aria-label], [title]'))
    for (const name of ['aria-label', 'title'])
      if (hidden.test(element.getAttribute(name) ?? '')) found.push(name + ' of ' + element.outerHTML.slice(0, 200))
  const excess = document.documentElement.scrollWidth - document.documentElement.clientWidth
  if (excess > 0) found.push('wider by ' + excess + ' px')
  return [...new Set(found)]
})()`
