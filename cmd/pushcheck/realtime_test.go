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
	"internal/clock realClock.Sleep":       "the real clock itself",
	"internal/clock realClock.WithTimeout": "the real clock itself",
	"pusher New":                           "where a Config has no clock; a world's has",
	"fakeregistry newBench":                "where a Config has no clock; a world's has",
	"fakeregistry NewV1":                   "where its options have no clock; a world's have",
	"fakeregistry benchOf":                 "where no server is around an effect; a world has one",
	"fakeregistry strike.server":           "where no server is around an effect; a world has one",

	"pusher sending.abort":     "a deadline that has passed, which ends a write at once",
	"fakeregistry conn.deafen": "a deadline that has passed, which ends a read at once",

	"fakeregistry prompt.listen":   limitsAlone,
	"fakeregistry prompt.speak":    limitsAlone,
	"fakeregistry promptBody.Read": limitsAlone,
	"fakeregistry Proxy.connect":   proxyAlone,
	"fakeregistry passage.broken":  proxyAlone,
	"fakeregistry passingBody.ask": proxyAlone,
	"scenarios world.realTime":     proxyAlone,
	"scenarios sandbox.run":        foreignAlone,
	"scenarios world.cancelling":   foreignAlone,
	"scenarios newForeignWorld":    foreignAlone,
	"scenarios foreignRun.serve":   foreignAlone,
	"scenarios foreignRun.ready":   foreignAlone,
	"scenarios Serve":              "pushcheck serve, which runs no scenario",
	"scenarios Runner.guarded":     "the watchdog: it ends what hangs, and nobody waits for it otherwise",
	"scenarios world.settled":      "ends when the servers have handled what was asked, which no clock holds up",
	"scenarios world.leftovers":    "ends when net/http closed its connections, which no clock holds up",
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

// asksTheHour tells clock.Real().Now(), which waits for nothing.
func asksTheHour(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Now" {
		return false
	}
	inner, ok := sel.X.(*ast.CallExpr)
	return ok && knowsRealTime(inner)
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
				place := folder + " " + nameOfDecl(d)
				ast.Inspect(d, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok || !knowsRealTime(call) {
						return !ok || !asksTheHour(call)
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
