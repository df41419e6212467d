/*
 * What stands in front of a tenant's library, in its second line. While a library is loaded, its code reaches `redis`, or `server` as
 * Valkey calls it too, with `register_function` and the log in it, and no other global; when its functions run they have all
 * of Lua, and a `redis` without `register_function`. So both names are local variables in front of the library: while it is loaded a table
 * of its own, whose `register_function` puts the tenant's names in the place of those that it is given; from the first call of one of
 * its functions on, the real one. Nothing that the library says while it is loaded, and no way of saying it, leads to
 * the server's own `register_function`.
 *
 * There is no type(), select(), pcall() or setmetatable() while a library is loaded.
 */

/** Ways to the globals. No server has them while a library is loaded; a library that names one gets it when its functions run. */
const LATER = ['_G', 'load', 'loadstring', 'getfenv', 'setfenv']
/** Of `redis` while a library is loaded, beside register_function and log. */
const FIELDS = ['LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING', 'REDIS_VERSION', 'REDIS_VERSION_NUM']
/** The same of Valkey from this version on, for libraries that name them: to read one that is not there is an error. */
const FIRST_WITH_FIELDS = 8
const VALKEY_FIELDS = ['SERVER_NAME', 'VALKEY_VERSION', 'VALKEY_VERSION_NUM']

/**
 * Lua in one line for the library of this text, one character per byte. `scope` goes in front of the names of functions.
 * `valkey`: the first number of the server's version, 0 where it is Redis. Takes one local variable, and one for each of the other
 * names that the text holds. Takes time in proportion to the text.
 */
export function functionPrologue(body: string, scope: string, valkey: number): string {
  // A name of Lua's stands in the text as it is, whatever is around it. Where it is in a comment, it takes a variable for nothing.
  const names = new Set(body.match(NAMES))
  const later = LATER.filter((name) => names.has(name))
  const server = names.has('server')
  const valkeys = valkey < FIRST_WITH_FIELDS ? [] : VALKEY_FIELDS.filter((name) => names.has(name))
  const fields = [...FIELDS, ...valkeys].map((name) => `${name}=A.${name},`).join('')
  return [
    `local redis${server ? ',server' : ''}${later.map((name) => `,${name}`).join('')}=`,
    // These are outside of the scope of the variables, so here the names still are those of globals.
    `{redis,function() return redis end${LATER.map((name) => `,function() return ${name} end`).join('')}} `,
    // L: what is left to do at the first call.
    `do local L,A,S,register_function=redis,redis[1],'${scope}',('').dump `,
    'local R=A.register_function ',
    // Of all that is there, string.dump alone complains of what is no function.
    'local function W(c) register_function(c) return function(...) if L then local p=pcall ',
    // All functions share the metatable of strings, also those that are loaded. Not every server keeps it from being changed.
    "p(function() getmetatable('').__metatable=false end) ",
    `redis=L[2]() ${server ? 'server=redis ' : ''}`,
    later.length === 0 ? '' : `${GLOBALS}${later.map((name) => `${name}=X.${name} `).join('')}`,
    'L=nil end return c(...) end end ',
    // To log while a library is loaded ends Valkey 9.1, then and whenever it starts again with that library.
    `redis={${fields}log=function() end,register_function=function(...) local n,c,d=... `,
    'if n==nil then return R(...) end ',
    "if c~=nil or d~=nil then if n~='' then n=S..n end if d~=nil then return R(n,c,d) end return R(n,c and W(c)) end ",
    // A string alone.
    'if n.rep and n.rep==S.rep then return R(S) end ',
    // The server takes names of fields in upper and lower case alike: so it gets none but these.
    "local f,c=n.function_name,n.callback if f~=nil and f~='' then f=S..f end ",
    'return R{function_name=f,callback=c and W(c),flags=n.flags,description=n.description} ',
    `end} ${server ? 'server=redis ' : ''}end;`,
  ].join('')
}

/**
 * X: what the library gets of them. With setfenv, a function could put a table of its own in the place of the globals of all libraries that
 * are loaded later. So where the server has it, the library gets neither that nor a way to it.
 */
const GLOBALS = [
  'local function O(i) local k,v=p(L[i]) if k then return v end end ',
  'local X,F={_G=O(3),load=O(4),loadstring=O(5)},O(7) ',
  'if F then local G=X._G X.setfenv=false X.getfenv=false ',
  'local function E(f) return f and function(...) local c,e=f(...) if c then F(c,X._G) end return c,e end end ',
  'X.load=E(X.load) X.loadstring=E(X.loadstring) ',
  'X._G=setmetatable({},{__index=function(_,n) local v=X[n] if v==nil then v=G[n] end return v or nil end,',
  '__newindex=G,__metatable=false}) end ',
].join('')

const NAMES = new RegExp(`\\b(?:${['server', ...LATER, ...VALKEY_FIELDS].join('|')})\\b`, 'g')
