package scenarios

import (
	"net/http"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// eraWitnesses are those of scenarios that one era passes. Where another is known
// to fail, the witness is that it is the one that does not.
var eraWitnesses = map[string][]witness{
	"upload/storm":            {as("docker 28, which excuses nothing", pusher.Docker28)},
	"era-best/every-position": {as("docker 28, which excuses nothing", pusher.Docker28)},

	"eras/every-era":                          {repeated("manifest.put"), answers(wire.OpUploadPut, http.StatusInternalServerError, false)},
	"eras/server-error":                       {withoutFaults},
	"eras/manifest-broken":                    {withoutFaults},
	"eras/rate-limited":                       {withoutFaults},
	"eras/without-version/v1":                 {withoutFaults},
	"eras/without-version/v2":                 {era("wants the version", func(e *pusher.Era) { e.VersionHeader = true })},
	"eras/without-version/unasked":            {as("docker 28", pusher.Docker28)},
	"v1/later":                                {as("docker 1.8", pusher.Docker18), answers(wire.OpV1ChecksumPut, http.StatusOK, false)},
	"eras/v1-alone/spoken":                    {endpoints("V2 only", pusher.V2)},
	"eras/v1-alone/forgotten":                 {scenario("V2 is there", func(s *Scenario) { s.Registries[0].Kind = KindV2 })},
	"eras/no-token-again":                     {withoutFaults},
	"eras/existence-refused":                  {withoutFaults},
	"eras/manifest-without-digest":            {withoutFaults},
	"eras/manifest-without-digest/unread":     {repeated("manifest.put")},
	"eras/manifest-without-digest/read-back":  {as("docker 28", pusher.Docker28)},
	"eras/range-missing":                      {withoutFaults},
	"eras/denied":                             {withoutFaults},
	"eras/start-not-202":                      {withoutFaults},
	"eras/commit-202":                         {withoutFaults},
	"eras/mount-lies":                         {withoutFaults},
	"eras/layer-lost":                         {withoutFaults},
	"eras/shared-content":                     {repeated("upload.start")},
	"eras/commit-refused":                     {withoutFaults},
	"eras/error-bodies":                       {withoutFaults},
	"eras/token-service":                      {withoutFaults},
	"eras/token-lifetimes":                    {withoutFaults},
	"eras/token-lifetimes/as-said":            {as("docker 1.9", pusher.Docker19)},
	"eras/mount-refused":                      {withoutFaults},
	"eras/mount-from-itself":                  {as("docker 28", pusher.Docker28)},
	"eras/mount-from-itself/never":            {as("docker 1.12", pusher.Docker112)},
	"eras/after-tls":                          {withoutFaults},
	"eras/bad-certificate":                    {as("docker 28", pusher.Docker28)},
	"eras/bad-certificate/v2":                 {as("docker 1.13", pusher.Docker113)},
	"eras/existence-unmeasured":               {withoutFaults},
	"eras/existence-unmeasured/nothing-to-it": {answers(wire.OpManifestPut, http.StatusInternalServerError, false)},
	"eras/manifest-refused":                   {withoutFaults},
	"eras/manifest-tag-unread":                {withoutFaults},
	"eras/ping-elsewhere":                     {withoutFaults},
	"eras/doubled-session":                    {withoutFaults},
	"v1/ping-ignored":                         {withoutFaults, answers(wire.OpV1ChecksumPut, http.StatusInternalServerError, false)},

	"manifest/schema2-refused/invalid@docker-20.10":     {as("docker 1.13", pusher.Docker113)},
	"manifest/schema2-refused/tag-invalid@docker-20.10": {as("docker 1.13", pusher.Docker113)},

	"era-best/resume@best":              {asContainerd, withoutFaults},
	"era-best/resume@docker-28":         {asBest},
	"era-best/resume@containerd":        {asBest},
	"era-best/retry-after@best":         {asContainerd, withoutFaults},
	"era-best/retry-after@docker-28":    {asBest},
	"era-best/retry-after@containerd":   {asBest},
	"era-best/manifest-fake@best":       {asContainerd, withoutFaults},
	"era-best/manifest-fake@docker-28":  {asBest},
	"era-best/manifest-fake@containerd": {asBest},
	"era-best/second-push@best":         {asContainerd, forgotten("manifest.head")},
	"era-best/second-push@docker-28":    {asBest},
	"era-best/second-push@containerd":   {asBest},
	"era-best/head-lies@best":           {asContainerd, withoutFaults},
	"era-best/head-lies@containerd":     {asBest},
	"era-best/cancels@best":             {asContainerd, withoutFaults},
	"era-best/cancels@docker-28":        {asBest},
	"era-best/cancels@containerd":       {asBest},

	"era-containerd/no-ping@containerd":          {asBest},
	"era-containerd/no-ping@best":                {asContainerd},
	"era-containerd/no-ping@docker-28":           {asContainerd},
	"era-containerd/digest-demanded@containerd":  {asBest, withoutFaults},
	"era-containerd/digest-demanded@best":        {asContainerd},
	"era-containerd/digest-demanded@docker-28":   {asContainerd},
	"era-containerd/digest-compared@containerd":  {asBest, withoutFaults},
	"era-containerd/digest-compared@best":        {asContainerd},
	"era-containerd/digest-compared@docker-28":   {asContainerd},
	"era-containerd/at-once@containerd":          {asBest, withoutFaults},
	"era-containerd/at-once@best":                {asContainerd},
	"era-containerd/at-once@docker-28":           {asContainerd},
	"era-containerd/location-missing@containerd": {asBest, withoutFaults},
	"era-containerd/location-missing@best":       {asContainerd},
	"era-containerd/location-missing@docker-28":  {asContainerd},
	"era-containerd/head-refused@containerd":     {asBest, withoutFaults},
	"era-containerd/head-refused@best":           {asContainerd},
	"era-containerd/head-refused@docker-28":      {asContainerd},
}

var (
	asBest       = as("best", pusher.Best)
	asContainerd = as("containerd", pusher.Containerd)
)
