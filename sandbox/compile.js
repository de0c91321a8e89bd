// Compiles the Aave market and the sandbox's own contracts with npm's solc.
// usage: node compile.js <out-dir>   → <out-dir>/<Contract>.json {abi, bytecode, linkReferences}
'use strict'
const fs = require('fs')
const path = require('path')

const ORIGIN = 'node_modules/@aave-dao/aave-v3-origin/'
const AAVE = [
  'instances/ATokenInstance', 'instances/PoolConfiguratorInstance', 'instances/PoolInstance',
  'instances/VariableDebtTokenInstance', 'helpers/AaveProtocolDataProvider', 'helpers/UiPoolDataProviderV3',
  'misc/AaveOracle', 'misc/DefaultReserveInterestRateStrategyV2', 'misc/PriceOracleSentinel',
  'mocks/testnet-helpers/TestnetERC20', 'mocks/tokens/WETH9Mocked',
  'protocol/configuration/ACLManager', 'protocol/configuration/PoolAddressesProvider',
  'protocol/libraries/helpers/Errors',
].map((name) => `src/contracts/${name}.sol`)
const OWN = fs.readdirSync(path.join(__dirname, 'contracts')).map((name) => `contracts/${name}`)
const REMAPPINGS = [
  'openzeppelin-contracts/contracts/=node_modules/@openzeppelin/contracts/',
  'openzeppelin-contracts-upgradeable/contracts/=node_modules/@openzeppelin/contracts-upgradeable/',
  '@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/',
  'solidity-utils/=node_modules/@bgd-labs/solidity-utils/src/',
]

const read = (name) => fs.readFileSync(path.join(__dirname, name.startsWith('src/') ? ORIGIN + name : name), 'utf8')
const importFile = (name) => {
  try {
    return { contents: read(name) }
  } catch {
    return { error: `${name} not found` }
  }
}

const sources = Object.fromEntries([...AAVE, ...OWN].map((name) => [name, { content: read(name) }]))
const settings = {
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 200 },
  remappings: REMAPPINGS,
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.bytecode.linkReferences'] } },
}
const input = JSON.stringify({ language: 'Solidity', sources, settings })
const result = JSON.parse(require('solc').compile(input, { import: importFile }))
const errors = (result.errors || []).filter((error) => error.severity === 'error')
if (errors.length) {
  errors.slice(0, 10).forEach((error) => console.error(error.formattedMessage))
  process.exit(1)
}

const out = process.argv[2]
fs.mkdirSync(out, { recursive: true })
for (const [file, contracts] of Object.entries(result.contracts)) {
  for (const [name, { abi, evm }] of Object.entries(contracts)) {
    if (path.basename(file, '.sol') !== name) continue // one contract per file: the file's own
    const { object, linkReferences } = evm.bytecode
    fs.writeFileSync(path.join(out, `${name}.json`), JSON.stringify({ abi, bytecode: `0x${object}`, linkReferences }))
  }
}
const viem = (name) => require(path.join(__dirname, 'node_modules/viem/_cjs/constants', name)) // not exported
const multicall3 = { abi: viem('abis.js').multicall3Abi, bytecode: viem('contracts.js').multicall3Bytecode }
fs.writeFileSync(path.join(out, 'Multicall3.json'), JSON.stringify(multicall3))
console.log(`${fs.readdirSync(out).length} contracts`)
