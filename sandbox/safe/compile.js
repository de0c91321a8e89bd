// Compiles Balancer v3's vault and the sandbox's own contracts with npm's solc; takes Safe's artifacts as they are.
// One optimizer run: so the vault stays under the limit of a contract's size.
// usage: node compile.js <out-dir>   → <out-dir>/<Contract>.json {abi, bytecode, linkReferences}
'use strict'
const fs = require('fs')
const path = require('path')

const VAULT = 'node_modules/@balancer-labs/v3-vault/contracts'
const VAULTS = ['Vault', 'VaultExtension', 'VaultAdmin', 'ProtocolFeeController']
const OWN = ['Assenter', 'Refuser', 'SilentVault', 'Stranger']
const SAFE = 'node_modules/@safe-global/safe-smart-account/build/artifacts/contracts'
const ELDER = 'node_modules/@safe-global/safe-contracts/build/artifacts/contracts'
const SAFES = ['SafeL2', 'proxies/SafeProxyFactory', 'libraries/MultiSendCallOnly', 'libraries/MultiSend']

const read = (name) => fs.readFileSync(path.join(__dirname, name), 'utf8')
const importFile = (name) => {
  try {
    return { contents: read(name.startsWith('@') ? `node_modules/${name}` : name) }
  } catch {
    return { error: `${name} not found` }
  }
}
const sources = [
  ...VAULTS.map((name) => [`@balancer-labs/v3-vault/contracts/${name}.sol`, `${VAULT}/${name}.sol`]),
  ...OWN.map((name) => [`contracts/${name}.sol`, `contracts/${name}.sol`]),
]
const input = {
  language: 'Solidity',
  sources: Object.fromEntries(sources.map(([name, file]) => [name, { content: read(file) }])),
  settings: {
    evmVersion: 'cancun',
    viaIR: true,
    optimizer: { enabled: true, runs: 1 },
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
  },
}
const result = JSON.parse(require('solc').compile(JSON.stringify(input), { import: importFile }))
const errors = (result.errors || []).filter((error) => error.severity === 'error')
if (errors.length) {
  errors.slice(0, 10).forEach((error) => console.error(error.formattedMessage))
  process.exit(1)
}
fs.mkdirSync(process.argv[2], { recursive: true })
const write = (name, abi, bytecode) =>
  fs.writeFileSync(path.join(process.argv[2], `${name}.json`), JSON.stringify({ abi, bytecode, linkReferences: {} }))
for (const [file, contracts] of Object.entries(result.contracts)) {
  const name = path.basename(file, '.sol')
  if (![...VAULTS, ...OWN].includes(name) || !contracts[name]) continue
  write(name, contracts[name].abi, `0x${contracts[name].evm.bytecode.object}`)
}
for (const file of SAFES) {
  const name = path.basename(file)
  for (const [at, suffix] of [[SAFE, ''], [ELDER, '_1_4_1']]) {
    const { abi, bytecode } = JSON.parse(read(`${at}/${file}.sol/${name}.json`))
    write(`${name}${suffix}`, abi, bytecode)
  }
}
console.log(`${fs.readdirSync(process.argv[2]).length} contracts`)
