// Shows openapi.json. Everything from it goes in as text, never as markup.
const make = (name, text, ...children) => {
  const element = document.createElement(name);
  if (text) element.textContent = text.replaceAll('`', '');
  element.append(...children);
  return element;
};
const link = (text, to) => Object.assign(make('a', text), { href: `#${to}` });
const last = (reference) => reference.split('/').pop();

/// The type of a schema, with links to the objects that it names.
function typeOf(schema) {
  if (schema.$ref) return link(last(schema.$ref), last(schema.$ref));
  if (schema.type === 'array') return make('span', '', 'list of ', typeOf(schema.items));
  if (schema.oneOf) return make('span', '', ...schema.oneOf.flatMap((s, i) => (i ? [' or ', typeOf(s)] : [typeOf(s)])));
  if (schema.enum) return make('span', schema.enum.map((v) => JSON.stringify(v)).join(' | '));
  const bounds = [['minimum', 'from'], ['maximum', 'to'], ['minLength', 'at least'], ['maxLength', 'at most'], ['pattern', ''], ['default', 'default']]
    .filter(([key]) => schema[key] !== undefined).map(([key, word]) => `${word} ${schema[key]}`.trim());
  return make('span', [schema.type ?? 'anything', ...bounds].join(', '));
}

function fields(schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const needed = (schema.required ?? []).includes(name);
    return make('tr', '', make('td', '', make('code', name)), make('td', '', typeOf(field), needed ? '' : ', optional'), make('td', field.description));
  });
  return rows.length ? make('table', '', ...rows) : make('p', schema.properties ? 'Nothing.' : '');
}

const shape = (schema) => (schema.properties ? fields(schema) : make('p', '', typeOf(schema)));

function call(document_, path, method, operation) {
  const resolve = (node) => (node.$ref ? node.$ref.slice(2).split('/').reduce((at, name) => at[name], document_) : node);
  const article = make('article', '', make('h3', '', make('span', method.toUpperCase()), make('code', path)), make('p', operation.summary));
  article.querySelector('span').className = 'method';
  article.id = operation.operationId;
  if (operation.description) article.append(make('p', operation.description));
  const parameters = (operation.parameters ?? []).map(resolve);
  if (parameters.length) {
    article.append(make('strong', 'Parameters'), make('table', '', ...parameters.map((p) => make('tr', '', make('td', '', make('code', p.name)), make('td', p.in), make('td', '', typeOf(p.schema)), make('td', p.description)))));
  }
  const body = operation.requestBody?.content['application/json'].schema;
  if (body) article.append(make('strong', operation.requestBody.required ? 'Body' : 'Body, optional'), shape(body));
  for (const [status, response] of Object.entries(operation.responses)) {
    const full = resolve(response);
    const schema = full.content?.['application/json']?.schema;
    if (status === '200') article.append(make('strong', 'Answer'), shape(schema));
  }
  const errors = Object.entries(operation.responses).filter(([status]) => status !== '200');
  if (errors.length) article.append(make('strong', 'Errors'), make('table', '', ...errors.map(([status, r]) => make('tr', '', make('td', '', make('code', status)), make('td', resolve(r).description)))));
  return article;
}

const contract = await (await fetch('/x1/openapi.json')).json();
const index = document.getElementById('index');
document.getElementById('about').append(Object.assign(make('p', contract.info.description.replaceAll('**', '')), { className: 'about' }));
const entries = [];
for (const tag of contract.tags) {
  index.append(Object.assign(make('li', tag.name), { className: 'tag' }));
  document.getElementById('calls').append(make('h2', tag.description));
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (operation.tags[0] !== tag.name) continue;
      const article = call(contract, path, method, operation);
      const line = make('li', '', link(operation.summary, operation.operationId));
      index.append(line);
      document.getElementById('calls').append(article);
      entries.push({ article, line, text: `${method} ${path} ${operation.summary}`.toLowerCase() });
    }
  }
}
for (const [name, schema] of Object.entries(contract.components.schemas)) {
  const article = make('article', '', make('h3', name), make('p', schema.description), shape(schema));
  article.id = name;
  document.getElementById('objects').append(article);
}
document.getElementById('filter').addEventListener('input', (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const { article, line, text } of entries) article.hidden = line.hidden = !text.includes(wanted);
});
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
