package scenarios

import (
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// faultWitnesses are the witnesses of the scenarios that are there for one fault
// each.
var faultWitnesses = map[string][]witness{
	"network/dns-slow/in-time":       {withoutFaults, argument("by", 6*time.Second)},
	"network/dns-slow/too-slow":      {withoutFaults, argument("by", 4*time.Second)},
	"network/dns-moves":              {withoutFaults, argument("to", "")},
	"network/dns-dead-v6/falls-back": {instead("dns-nxdomain"), argument("fallback", time.Second)},
	"network/dns-dead-v6/never-does": {withoutFaults},
	"network/blackhole/for-ever":     {withoutFaults, instead("refuse")},
	"network/blackhole/for-a-while":  {argument("for", 6*time.Second), instead("refuse")},
	"network/idle-kill":              {secondInstead("empty-reply"), repeated("upload.start")},
	"network/conn-limit/queue":       {argument("over", "refuse"), argument("max", int64(1))},
	"network/conn-limit/refuse":      {withoutFaults, argument("over", "queue")},
	"network/tls-certificate":        {withoutFaults, instead("tls-plaintext")},
	"network/tls-old":                {instead("tls-untrusted"), instead("tls-plaintext")},
	"network/tls-stall":              {withoutFaults, argument("for", 4*time.Second)},
	"network/tls-plaintext":          {withoutFaults, instead("tls-untrusted")},
	"network/tls-client-cert":        {withoutFaults, instead("tls-untrusted")},
	"network/tls-cut":                {withoutFaults, instead("token-garbage")},
	"network/tls-rotates":            {instead("tls-untrusted"), instead("tls-expired")},
	"network/h2":                     {withoutFaults, instead("denied")},
	"network/continue-never/silence": {argument("answer", "417")},
	"network/continue-never/refused": {argument("answer", "none"), withoutFaults},
	"network/tls-alpn":               {instead("tls-wrong-host"), instead("tls-plaintext")},
	"network/long-body":              {instead("empty-reply"), instead("commit-fake")},
	"network/http10":                 {instead("empty-reply"), instead("bad-chunk")},
	"network/gzip-response":          {instead("token-garbage"), forgotten("token")},
	"upload/session-doubles":         {withoutFaults, instead("session-vanishes")},
	"upload/session-offset":          {withoutFaults, repeated("upload.patch")},
	"upload/unchecked":               {withoutFaults, secondInstead("commit-slow")},
	"upload/rate-limit":              {withoutFaults, argument("allow", int64(3))},
	"upload/read-after-write":        {withoutFaults},
	"auth/clock-jump":                {withoutFaults, argument("by", time.Second)},
	"auth/clock-jump-back":           {scenario("the clock stays", func(s *Scenario) { s.Faults = s.Faults[1:] })},
	"manifest/later/too-soon":        {withoutFaults, argument("by", time.Duration(0))},
	"manifest/later/in-the-end":      {argument("by", time.Hour)},
	"manifest/pull-through":          {withoutFaults, argument("by", time.Duration(0))},
	"manifest/rewritten":             {answers(wire.OpManifestPut, 500, true)},
	"manifest/tag-race":              {withoutFaults, instead("commit-fake")},
	"network/lookups":                {withoutFaults, instead("refuse")},
	"network/silence":                {withoutFaults, argument("for", 4*time.Second)},
	"network/malformed":              {withoutFaults, instead("empty-reply")},
	"network/harmless":               {instead("empty-reply"), instead("denied")},
	"upload/refused":                 {withoutFaults},
	"auth/refused":                   {withoutFaults},
	"blob-exists/mounts":             {withoutFaults},
	"blob-exists/rotten":             {withoutFaults, instead("gc-strikes")},
	"manifest/schema2-refused":       {withoutFaults},
}

// argument gives the first fault another argument.
func argument(name string, value any) witness {
	return scenario("the fault has another "+name, func(s *Scenario) { s.Faults[0].Args[name] = value })
}

// secondInstead puts another fault in the place of the second.
func secondInstead(name string) witness {
	return scenario("the second fault is "+name, func(s *Scenario) { s.Faults[1].Name, s.Faults[1].Args = name, fakeregistry.Args{} })
}
