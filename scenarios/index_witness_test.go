package scenarios

import (
	"net/http"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// indexWitnesses are those of scenarios about indexes, foreign layers and referrers.
// Where a client is known to fail, the witness is one that does not.
var indexWitnesses = map[string][]witness{
	"index/whole":                             {onePlatform, forgotten("manifest.put")},
	"index/whole@docker-28":                   {asBest},
	"index/list":                              {onePlatform},
	"index/list@docker-20.10":                 {asBest},
	"index/platform":                          {scenario("no platform is chosen", func(s *Scenario) { s.Client.Platform = "" })},
	"index/platform@docker-28":                {scenario("the image is not there for that platform", func(s *Scenario) { s.Image.Platforms = nil })},
	"index/platform-absent":                   {scenario("it is there for that platform", func(s *Scenario) { s.Image.Platforms = append(s.Image.Platforms, s.Client.Platform) })},
	"index/foreign-skipped":                   {leavesNothing, scenario("no layer lives elsewhere", func(s *Scenario) { s.Image.Foreign = nil })},
	"index/foreign-skipped@best":              {asContainerd},
	"index/foreign-skipped@docker-28":         {asBest},
	"index/foreign-skipped@containerd":        {asBest},
	"index/foreign-said":                      {leavesNothing},
	"index/foreign-allowed":                   {scenario("it is not allowed", func(s *Scenario) { s.Client.Foreign = false })},
	"index/foreign-allowed@docker-1.13":       {asBest},
	"index/missing@containerd":                {asBest, scenario("all of it is there", func(s *Scenario) { s.Image.Missing = nil })},
	"index/missing@best":                      {asContainerd},
	"index/missing-said":                      {asContainerd, scenario("all of it is there", func(s *Scenario) { s.Image.Missing = nil })},
	"index/child-lost@best":                   {asContainerd, withoutFaults},
	"index/child-lost@containerd":             {asBest},
	"index/child-missing@containerd":          {asBest, withoutFaults},
	"index/child-missing@best":                {asContainerd},
	"index/child-refused":                     {withoutFaults},
	"index/again@best":                        {asContainerd, forgotten("manifest.head")},
	"index/again@containerd":                  {asBest},
	"index/held":                              {asContainerd, onePlatform},
	"index/subject@best":                      {asContainerd, scenario("it refers to nothing", func(s *Scenario) { s.Image.Subject, s.Image.Media, s.Registries[0].Has = "", "oci", nil })},
	"index/subject@containerd":                {asBest},
	"index/subject-fallback/kept@best":        {asContainerd, answers(wire.OpReferrers, http.StatusOK, false)},
	"index/subject-fallback/first@best":       {asContainerd},
	"index/subject-fallback/kept@containerd":  {asBest},
	"index/subject-fallback/first@containerd": {asBest},
	"index/subject-again":                     {asContainerd, scenario("nobody else refers to it", func(s *Scenario) { s.Registries[0].Has = nil })},
}

var (
	onePlatform   = scenario("it is for one platform alone", func(s *Scenario) { s.Image.Platforms = nil })
	leavesNothing = era("sends layers that live elsewhere", func(e *pusher.Era) {
		e.Layers.Foreign = false
		if e.Way == pusher.WayBest {
			e.Way = pusher.WayContainerd
		}
	})
)
