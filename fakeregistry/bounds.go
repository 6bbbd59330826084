package fakeregistry

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A ParamForm says more of a text than its type does.
type ParamForm int

// The forms of texts. FormMoment is checked where a scenario is decoded: only
// there it is known which events there are.
const (
	FormAny     ParamForm = iota // any text
	FormHeader                   // the value of a header: no line ends nor other control characters
	FormAddress                  // an address, or a host
	FormMoment                   // an operation, with or without an answer, an event or a fault
)

// mebi, gibi and tebi are bounds in bytes.
const (
	mebi = 1 << 20
	gibi = 1 << 30
	tebi = 1 << 40
)

// longest is the longest time that ends: ten years, far from where times overflow.
const longest = int64(87600 * time.Hour)

// A bound is what one parameter takes, where that is less than its type allows.
type bound struct {
	names     string // "kind.parameter", separated by spaces
	low, high int64
	ends      bool
	form      ParamForm
}

// paramBounds are those of all parameters that have their own. What is held in memory
// is bounded tightly; what is only counted or told, by what a number can be.
var paramBounds = [...]bound{
	{names: "corrupt.bits", low: 1, high: mebi},
	{names: "garbage.bytes", low: 1, high: 16 * mebi},
	{names: "header-flood.size", low: 1, high: 16 * mebi},
	{names: "dns-moves.after tls-rotates.after", low: 0, high: mebi},
	{names: "conn-limit.max redirect-loop.length", low: 1, high: mebi},
	{names: "rate-limit.allow", low: 1, high: gibi},
	{names: "session-offset.by range-off-by-one.by", low: -gibi, high: gibi},
	{names: "dribble.size long-body.by short-body.by", low: 1, high: tebi},
	{names: "redirect.status redirect-loop.status", low: 300, high: 399},
	{names: "error-many.codes tls-wrong-host.names", low: 1, high: 1000},
	{names: "token-ttl.ttl", low: int64(time.Second), high: longest, ends: true},
	{names: "rate-limit.in", low: int64(time.Millisecond), high: longest, ends: true},
	{names: "idle-kill.idle dribble.gap clock-jump.by clock-skew.by restart.down delay.jitter unavailable.retry-after " +
		"too-many.retry-after", high: longest, ends: true},
	{names: "bit-rot.at gc-strikes.at upload-purged.at restart.at clock-jump.at", form: FormMoment},
	{names: "redirect.to", form: FormAddress},
	{names: "type-wrong.to digest-wrong.value range-stuck.at retry-after-absurd.value location-downgrade.scheme " +
		"location-elsewhere.host location-elsewhere.port realm-elsewhere.host", form: FormHeader},
}

// bounded puts the bounds into the parameters of the catalogue.
func bounded(kinds []Kind) []Kind {
	own := map[string]bound{}
	for _, b := range paramBounds {
		for name := range strings.FieldsSeq(b.names) {
			own[name] = b
		}
	}
	for i, k := range kinds {
		params := make([]Param, len(k.Params)) // several kinds may share theirs
		for j, p := range k.Params {
			if b, ok := own[k.Name+"."+p.Name]; ok {
				p.Low, p.High, p.Ends, p.Form = b.low, b.high, b.ends, b.form
			}
			params[j] = p
		}
		kinds[i].Params = params
	}
	return kinds
}

// Bounds are the least and the greatest value that the parameter takes, in the
// unit of its type: a number, bytes, bytes a second, nanoseconds, a status, or
// texts of a list. A time that is for ever is beside them: see Param.Ends.
func (p Param) Bounds() (low, high int64) {
	if p.Low != 0 || p.High != 0 {
		return p.Low, p.High
	}
	switch p.Type {
	case ParamSize:
		return 0, tebi
	case ParamRate:
		return 1, tebi
	case ParamDuration:
		return 0, longest
	case ParamStatus:
		return 200, 599
	case ParamStrings:
		return 0, 1000
	default:
		return math.MinInt64, math.MaxInt64
	}
}

// Takes says what a value of the parameter is, its bounds with it, for messages
// and documentation.
func (p Param) Takes() string {
	low, high := p.Bounds()
	switch p.Type {
	case ParamInt:
		if p.Low == 0 && p.High == 0 {
			return "a whole number"
		}
		return fmt.Sprintf("a whole number from %d to %d", low, high)
	case ParamSize, ParamRate:
		unit := ""
		if p.Type == ParamRate {
			unit = "/s"
		}
		return fmt.Sprintf("%s from %s%s to %s%s", map[ParamType]string{ParamSize: "a size such as 64KiB or 4096", ParamRate: "a rate such as 30KiB/s"}[p.Type],
			bytesText(low), unit, bytesText(high), unit)
	case ParamDuration:
		text := "a time such as 500ms or 5s"
		if low > 0 {
			text += " of at least " + time.Duration(low).String()
		}
		if p.Ends {
			return text
		}
		return text + ", or ∞"
	case ParamStatus:
		return fmt.Sprintf("a status from %d to %d", low, high)
	case ParamStrings:
		if low > 0 {
			return "a text or a list of texts that is not empty"
		}
		return "a text or a list of texts"
	case ParamString:
		return [...]string{"a text", "a text without line ends", "an address such as http://host/path, or a host", "an operation, event or fault"}[p.Form]
	}
	return p.Type.String()
}

// bytesText is the shortest text of a number of bytes.
func bytesText(n int64) string {
	for _, u := range [...]struct {
		name  string
		bytes int64
	}{{"TiB", tebi}, {"GiB", gibi}, {"MiB", mebi}, {"KiB", 1 << 10}} {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// within reports whether a number lies within the bounds.
func (p Param) within(n int64) bool {
	low, high := p.Bounds()
	return low <= n && n <= high
}

// checkTime is within for times.
func (p Param) checkTime(d time.Duration) error {
	if p.Type == ParamDuration && (d < 0 && !p.Ends || d >= 0 && p.within(int64(d))) {
		return nil
	}
	text := d.String()
	if d < 0 {
		text = "∞"
	}
	return fmt.Errorf("%s is not %s", text, p.Takes())
}

// checkForm checks a text.
func (p Param) checkForm(text string) error {
	switch p.Form {
	case FormHeader:
		if !httpguts.ValidHeaderFieldValue(text) {
			return fmt.Errorf("%q cannot stand in a header: want no line ends nor other control characters", text)
		}
	case FormAddress:
		if !strings.Contains(text, "://") {
			text = "//" + text
		}
		if _, err := url.Parse(text); err != nil || !httpguts.ValidHeaderFieldValue(text) {
			return fmt.Errorf("%q is not an address: want one such as http://host/path, or a host", strings.TrimPrefix(text, "//"))
		}
	case FormAny, FormMoment:
	}
	return nil
}

// checkHeaders checks names and values of headers.
func checkHeaders(m map[string]string) error {
	var errs []error
	for name, value := range m {
		if !httpguts.ValidHeaderFieldName(name) {
			errs = append(errs, fmt.Errorf("%q is not the name of a header: want letters, digits and dashes", name))
		} else if !httpguts.ValidHeaderFieldValue(value) {
			errs = append(errs, fmt.Errorf("%s: %q cannot stand in a header: want no line ends nor other control characters", name, value))
		}
	}
	return errors.Join(errs...)
}
