package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// onScenarios are the packages whose code runs a built-in scenario.
var onScenarios = []string{
	"scenarios", "fakeregistry", "fakeregistry/distregistry", "pusher", "pusher/image", "pusher/metadata", "internal/wire", "internal/clock",
}

// realWaits are the functions of those packages that know real time, with what keeps
// a scenario of the library from spending it there. Everything else waits on the
// scenario's clock, which is virtual: so no scenario takes longer than its work does,
// however busy the machine is. A new entry needs such a reason.
var realWaits = map[string]string{
	"internal/clock/clock.go realClock.Sleep":       "the real clock itself",
	"internal/clock/clock.go realClock.WithTimeout": "the real clock itself",
	"pusher/client.go New":                          "where a Config has no clock; a world's has",
	"fakeregistry/server.go newBench":               "where a Config has no clock; a world's has",
	"fakeregistry/v1.go NewV1":                      "where its options have no clock; a world's have",
	"fakeregistry/bench.go benchOf":                 "where no server is around an effect; a world has one",
	"fakeregistry/strike.go strike.server":          "where no server is around an effect; a world has one",

	"pusher/best_send.go sending.abort": "a deadline that has passed, which ends a write at once",
	"fakeregistry/conn.go conn.deafen":  "a deadline that has passed, which ends a read at once",

	"fakeregistry/limits.go prompt.listen":            limitsAlone,
	"fakeregistry/limits.go prompt.speak":             limitsAlone,
	"fakeregistry/limits.go promptBody.Read":          limitsAlone,
	"fakeregistry/limits.go promptWriter.Write":       limitsAlone,
	"fakeregistry/limits_silent.go Server.mostSilent": limitsAlone,
	"fakeregistry/proxy.go Proxy.connect":             proxyAlone,
	"fakeregistry/proxy_pass.go passage.broken":       proxyAlone,
	"fakeregistry/proxy_pass.go passingBody.ask":      proxyAlone,
	"scenarios/external.go world.realTime":            proxyAlone,
	"scenarios/foreign.go realTime":                   foreignAlone,
	"scenarios/foreign_push.go world.cancelling":      foreignAlone,
	"scenarios/foreign_world.go newForeignWorld":      foreignAlone,
	"scenarios/foreign_world.go foreignRun.serve":     foreignAlone,
	"scenarios/foreign_world.go foreignRun.ready":     foreignAlone,
	"scenarios/serve.go Serve":                        "pushcheck serve, which runs no scenario",
	"scenarios/run.go Runner.guarded":                 "the watchdog: it ends what hangs, and nobody waits for it otherwise",
	"scenarios/settle.go world.settled":               "ends when the servers have handled what was asked, which no clock holds up",
	"scenarios/push.go world.leftovers":               "ends when net/http closed its connections, which no clock holds up",
}

const (
	limitsAlone  = "what pushcheck serve bounds its clients by; a world sets no limits"
	proxyAlone   = "a proxy in front of somebody else's registry, which the library has only where one is named"
	foreignAlone = "clients that are programs of others, which know no clock but their own"
)

// knowsRealTime tells whether a call waits, or says how long to wait, in real time.
func knowsRealTime(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from := ""
	if x, ok := sel.X.(*ast.Ident); ok {
		from = x.Name
	}
	switch sel.Sel.Name {
	case "SetDeadline", "SetReadDeadline", "SetWriteDeadline":
		return true
	case "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick":
		return from == "time"
	case "WithTimeout", "WithDeadline", "WithTimeoutCause", "WithDeadlineCause":
		return from == "context"
	}
	return from == "clock" && sel.Sel.Name == "Real"
}

// TestScenariosWaitOnTheirClock: nothing that runs a scenario of the library waits in
// real time, but for what is listed with its reason. It holds on any machine, which
// a measured second would not.
func TestScenariosWaitOnTheirClock(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	for _, folder := range onScenarios {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files, folder)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range file.Decls {
				place := folder + "/" + filepath.Base(name) + " " + nameOfDecl(d)
				ast.Inspect(d, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok || !knowsRealTime(call) {
						return true
					}
					seen[place] = true
					if realWaits[place] == "" {
						t.Errorf("%s: %q knows real time and is not in realWaits: wait on the clock that you were given, or say what keeps a scenario from spending a second there",
							set.Position(call.Pos()), place)
					}
					return true
				})
			}
		}
	}
	for place := range realWaits {
		if !seen[place] {
			t.Errorf("realWaits has %q, which knows no real time any more", place)
		}
	}
}

// nameOfDecl is a function's name, a method's with its type; "" of anything else.
func nameOfDecl(d ast.Decl) string {
	f, ok := d.(*ast.FuncDecl)
	switch {
	case !ok:
		return ""
	case f.Recv == nil:
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
