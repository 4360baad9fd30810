package filters

import (
	"bytes"
	"slices"
	"strings"
)

// A weight says what one word of a field's name tells.
type weight uint8

const (
	neutral    weight = iota
	purpose           // names what of an application the request is about, or for which part of it
	credential        // the field proves something, which is its purpose
	weak              // names a person or place unless the field is a credential
	strong            // names a person, device, address or trace in any company
)

// lexicon is what the words tell that names of fields are made of.
var lexicon = newLexicon()

// lexiconTree holds the words of the lexicon. A name is taken apart by it, not by the
// map: each part of each of its words would be looked up.
var lexiconTree = newWordTree(lexicon)

// newLexicon builds the lexicon. Words that tell beside another are known, so that
// Screenwidth is read as Screen-Width is.
func newLexicon() map[string]weight {
	l := map[string]weight{}
	for _, pair := range tellingPairs {
		l[pair[0]], l[pair[1]] = neutral, neutral
	}
	for _, row := range vocabulary {
		for word := range strings.FieldsSeq(row.words) {
			l[word] = row.weight
		}
	}
	return l
}

// vocabulary lists the words. Neutral ones are there to take compounds apart:
// HTTP folds case, so Clientip must be read as client and ip.
var vocabulary = []struct {
	weight weight
	words  string
}{
	{neutral, `x id ids api name names real true orig original origin src source
		for by to of from server port proto protocol scheme url uri path request req
		response res method override version ver type info data details detail
		content http https web page ajax accept date time number num no code count end
		admin custom test new old is has internal external public private unique transaction
		parent root msg view instance ad ads click full first last local utc offset prev entry status host string header
		access mode enabled flags flag list level value values size length sub cache
		command function action module component template form trigger target partial
		fragment message event file files filename frame filter sort select search expand
		fields prefer retry debug force disable enable use max min default error success query parameter param params
		xml json redirect format encoding output input block process control security
		business bypass download sdk system unit agreement grant saml sso package packages
		factor window timestamp timespan timeout start cur recv make connection extension stream streams scope persisted ui errors table
		compute browse subscribe replica replicas release releases range ranges read readonly result results return
		resume random report reports rule rules rate rates route routes tree title total totals endpoint
		endpoints engine execution export exports passthrough metronome
		created modified submitted referred md`},
	{purpose, `account accounts org orgs organization organizations organisation tenant tenants project
		projects workspace workspaces team teams group groups role roles store storefront
		shop merchant vendor seller supplier site sites space spaces channel channels
		market marketplace franchise distributor catalog database db dataset collection
		collections index realm namespace environment env service services resource resources
		item items document documents doc docs folder folders object objects asset assets
		record records board course job jobs task tasks queue order orders invoice payment
		payments cart basket checkout quote contract subscription video playlist cursor
		continuation snapshot revision commit etag checkpoint thread topic conversation hash
		sha context operation partition shard widget schema lsd sitekey publishable
		webhook hook delivery idempotency application applications applicationid appid
		app apps company consent sandbox entity entities artifact registry currency transfer upload partner portal
		tag tags label labels payload vault vaults bucket buckets firm firms`},
	{credential, `token tokens auth authz authn authent oauth credential credentials authorization authorizations preauthorization authentication authenticate apikey key keys
		secret csrf xsrf nonce signature sig hmac jwt password passwd captcha recaptcha
		hcaptcha turnstile otp totp mfa challenge assertion claim claims sign
		signed digest checksum crumb proof pow pass passphrase passcode ticket jws antiforgery
		forgery`},
	{weak, `user users client clients customer customers member members viewer guest consumer
		person people profile session sessions sess browser ua agent os platform model
		brand lang language languages locale locales mobile tablet desktop android ios
		windows macos linux network location region territory district zip mac peer gateway edge
		proxy hop hops nat sid fp referrer referer experiment experiments campaign
		marketing employee student patient principal caller sender buyer reader author
		owner player audience segment tz state province cell radio sim operator
		carrier sampled sampling rat apn clientid identity party alias via viad
		vid did nid hid gid card department actor dns resolver theme color
		affiliate referral landing history place position heading nick
		family household school staff login adblock antivirus boot launch launches clock emulator
		emulated rooted jailbroken floor room office county plate vehicle vin license driver
		density dpi ram memory latency speed puk lac tac vaid printer node pod dev router
		requester requestor pseudonym moniker supervisor religion ethnicity marital salary income
		occupation profession diagnosis gamertag battletag vlan hotspot motherboard bios oem handset prepaid postpaid
		parental pubkey gyroscope touchscreen webview dob fullstory hotjar logrocket smartlook
		kerberos persona coupon variant ident invite steam psn nintendo xbox toolbar mailbox
		plugin plugins bundle impersonate wallet seen antispam hosted kiosk terminal allowed restrict restricted
		child children guardian assignee employer salutation fax town campus geofence poi culture lcid
		keyboard keycard chipset rssi ppi roam simop
		laptop chromebook macbook pc iphone ipod wearable smarttv playstation firmware baseband bitness cores retina dark contrast
		essid wlan wwan cellular ethernet nfc esim euicc gsm umts cdma volte gprs hspa hplmn vplmn mno mvno opco telco cgnat dhcp netbios
		localization localisation regions zonecode areacode appset expgroup expgroups
		egress adblocker incognito headless metamask accelerometer magnetometer barometer heartrate biometric biometrics voiceprint
		safari firefox chromium msedge teen supervised licensee workgroup distro libc glibc jvm interpreter
		dictation citizen citizenship immigrant veteran voter spouse husband wife kids kidsafe safesearch parents mother father
		daughter sibling friend friends contacts follower followers birthyear zodiac pronoun pronouns sexuality ethnic caste faith
		politics hobby hobbies interest interests mood emotion pregnancy allergy disease illness medication mortgage payroll pupil
		teacher university dorm suburb village commute impression impressions pageviews clickstream dwell engagement retarget
		retargeting remarketing rum beacon touchpoint lookalike optout churn ltv
		relay relays relayed received reputation datacenter
		logon uname usr yob bday tzo dbm throughput jitter brightness headset ringer gyro uwb accessibility screenreader voiceover talkback
		nation ctry eu eea gdpr ccpa prefecture municipality borough neighborhood neighbourhood ntwk simulator mdm holdout bucketing
		cert certs certificate certificates spiffe`},
	{strong, `ip ips ipv ipaddr ipaddress ipaddresses iplist addr addrs address addresses
		forwarded forwarder forwardedfor forwarding forward xff remote wan lan geo geoip
		geolocation geocode gps country city cities continent postal postcode zipcode
		latitude longitude lat lon lng latlng latlong timezone asn isp macaddr bssid
		ssid wifi proxied proxyuser colo hostname hostnames fqdn subnet netmask whois
		metro nas sgsn ggsn cliip
		uuid guid udid idfa idfv gaid aaid oaid adid advertiser advertising
		advertisement imei imsi iccid meid esn mdn msisdn subno subscriber subscribers
		uidh acr device devices machine hardware serial install installs
		installation fingerprint fingerprints visitor visitors visit clid callingline
		calling phone telephone tel email emails mail username usernames nickname
		fullname firstname lastname surname birth birthday gender trace traces tracing
		traceid traceparent tracestate span spanid parentspan baggage correlation
		correlationid tracking track trackid tracker telemetry analytics attribution
		cohort topics screen resolution viewport display battery cpu gpu dpr
		manufacturer useragent passport ssn nationality uid cuid suid puid muid dsid
		hwid givenname contact deviceid imeisv mcc mnc plmn cellid subid anon anonymous anonid persistent instanceid
		gclid fbclid msclkid clickid fbp fbc utm rtt downlink bandwidth fonts webgl canvas
		kernel arch architecture orientation geohash coordinates coordinate altitude bluetooth nearby
		vpn sex loyalty membership iban street locality uptime workstation
		openid unionid uin utdid buvid ttid loginid accountid empno upn samaccountname
		edns ecs nettype jailbreak evercookie sessid phpsessid jsessionid aspsessionid bduss
		fcm gcm apns pushtoken referring visitorid requestid sessionid pageview wcid whoami computer
		umid euid forter iovation threatmetrix riskified signifyd accertify kount ravelin incognia`},

	// The same in other languages in which programs name their fields, without accents.
	{neutral, `nombre nome numero nummer codigo sistema`},
	{credential, `senha clave contrasena passwort kennwort`},
	{weak, `usuario usuarios usuaria cliente clientes empleado funcionario aluno pessoa idioma pais ciudad cidade
		ubicacion localizacao latitud dispositivo dispositivos navegador telefono telefone celular correo apellido
		apellidos sobrenome nacimiento nascimento edad idade sesion sessao perfil cpf dni cedula matricula
		utente utenti paese citta cognome
		utilisateur utilisateurs langue pays ville appareil navigateur courriel prenom naissance
		benutzer benutzername benutzerkennung anwender nutzer kunde kunden mitarbeiter sprache geraet geraete
		standort telefon vorname nachname geburtsdatum sitzung
		gebruiker gebruikersnaam klant bruker brukernavn bruger anvandare kullanici cihaz`},
}

// tellingPairs lists words that tell something together and nothing alone.
var tellingPairs = [...][2]string{
	{"request", "id"}, {"req", "id"}, {"unique", "id"}, {"transaction", "id"}, {"parent", "id"},
	{"root", "id"}, {"view", "id"}, {"source", "port"}, {"src", "port"}, {"real", "host"},
	{"original", "host"}, {"original", "url"}, {"original", "uri"}, {"origin", "host"}, {"true", "host"},
	{"http", "host"}, {"prev", "url"}, {"last", "url"}, {"entry", "page"}, {"real", "name"}, {"full", "name"},
	{"first", "name"}, {"last", "name"}, {"account", "name"}, {"instance", "id"}, {"app", "instance"},
	{"package", "name"}, {"window", "size"}, {"window", "width"}, {"window", "height"}, {"build", "number"}, {"page", "name"}, {"page", "title"}, {"page", "url"},
	{"net", "type"}, {"is", "root"}, {"system", "version"}, {"system", "name"}, {"sys", "version"}, {"form", "factor"}, {"time", "offset"}, {"line", "id"}, {"extension", "id"},
	{"signed", "in"}, {"logged", "in"}, {"sign", "in"}, {"reply", "to"},
	{"sent", "by"}, {"passed", "through"}, {"verified", "bot"}, {"bot", "score"}, {"risk", "score"}, {"fraud", "score"}, {"threat", "score"}, {"trust", "score"},
	{"job", "title"}, {"age", "group"}, {"age", "range"}, {"age", "bracket"}, {"age", "signal"}, {"age", "signals"}, {"age", "assurance"}, {"age", "class"}, {"age", "category"}, {"age", "verified"}, {"credit", "score"},
	{"gmt", "offset"}, {"signal", "strength"}, {"reduced", "motion"}, {"font", "size"}, {"font", "scale"}, {"text", "scale"},
	{"asset", "tag"}, {"service", "tag"}, {"org", "unit"}, {"cost", "center"}, {"cost", "centre"}, {"badge", "number"},
	{"friendly", "name"}, {"licensed", "to"}, {"registered", "to"}, {"build", "host"}, {"fw", "version"}, {"hw", "version"}, {"rom", "version"}, {"ab", "test"}, {"ab", "group"}, {"safe", "search"}, {"opt", "out"}, {"heart", "rate"}, {"smart", "tv"}, {"low", "power"}, {"power", "saver"},
	{"connection", "type"}, {"effective", "type"}, {"inner", "width"}, {"inner", "height"}, {"outer", "width"}, {"outer", "height"},
	{"python", "version"}, {"ruby", "version"}, {"php", "version"}, {"perl", "version"}, {"java", "version"}, {"golang", "version"},
	{"dotnet", "version"}, {"nodejs", "version"}, {"kotlin", "version"}, {"electron", "version"}, {"runtime", "version"}, {"touch", "points"}, {"ad", "id"}, {"ads", "id"}, {"click", "id"}, {"boot", "id"}, {"local", "time"}, {"utc", "offset"},
	{"sistema", "operativo"}, {"sistema", "operacional"},
}

// tellingEnds are the ends of names, letters only, by which a published
// method for counting phones finds their identifiers (experienceleague.adobe.com,
// Analytics, "Identifying mobile devices"), and their kin.
var tellingEnds = [...]string{
	"callinglineid", "subno", "clientid", "deviceid", "forwardedfor", "msisdn", "clientip",
	"wapipaddr", "nasip", "userip", "ipaddress", "subscriberinfo", "ipaddr", "remoteaddr",
	"remoteip", "sourceip", "realip", "originip", "peerip", "imsi", "imei", "traceid", "sessionid",
	"visitorid", "userid", "useragent", "hostname", "traceparent", "requestid", "correlationid",
}

// whoWords, behind a word for a credential, name whose it is, or their device: X-Token-User is
// a user, X-User-Token a token, X-Auth-Locale a locale.
const whoWords = " user users member members person people owner principal subject sub caller viewer employee consumer customer login " +
	" department staff student platform os lang language locale browser model brand theme tz usuario utente utilisateur benutzer gebruiker "

// tells returns the weight of the words that name is made of.
func tells(name string) weight {
	var words [24]string
	list := splitWords(words[:0], name)
	most, proof, whose := neutral, false, false
	for i, word := range list {
		w, pair := lexicon[word], neutral
		if i+1 < len(list) {
			pair = together(word, list[i+1])
		}
		switch {
		case w != credential:
			most = max(most, w, pair)
		case pair != neutral: // as of Signed-In, which proves nothing
			most = max(most, pair)
		default:
			proof = true
		}
		whose = proof && w != credential && (whose || holdsWord(whoWords, word))
	}
	if most < strong && endsTelling(name) {
		most = strong
	}
	switch {
	case most == strong || !proof:
		return most
	case whose:
		return weak
	}
	return credential
}

// doneWords are past participles before "by" that do not say who did it. Servers ask for
// X-Requested-By only because scripts of other sites cannot send it
// (eclipse-ee4j.github.io/jersey, CsrfProtectionFilter).
const doneWords = " requested sorted ordered grouped "

// together returns the weight that two words have next to each other: a known pair, who did
// something, as in Handled-By, or a telling word that is written as two, as in Post-Code and
// Gamer-Tag. Before id, a word is weighed alone.
func together(word, next string) weight {
	if next == "by" && strings.HasSuffix(word, "ed") && !holdsWord(doneWords, word) {
		return weak
	}
	for _, pair := range tellingPairs {
		if word == pair[0] && next == pair[1] {
			return weak
		}
	}
	var room [48]byte
	if w := lexicon[string(append(append(room[:0], word...), next...))]; w >= weak && word != "x" && next != "id" {
		return w
	}
	return neutral
}

// idEnds are words that, at the end of a name, say that the value names one of
// many, of whatever stands before.
const idEnds = " id ids ident refid ref "

// settingEnds are words that, at the end of a name, say that the value is one of
// few, whatever it is a version or a type of.
const settingEnds = " version ver type mode format level size length count encoding override algo algorithm name enabled "

// lastWord returns the last of the words that name is made of.
func lastWord(name string) string {
	var words [24]string
	list := splitWords(words[:0], name)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// endsTelling reports whether the letters of name end in one of tellingEnds.
func endsTelling(name string) bool {
	var buf [64]byte
	letters := buf[:0]
	for i := range len(name) {
		if c := name[i]; isLetter(rune(c)) {
			letters = append(letters, c|0x20)
		}
	}
	for _, end := range tellingEnds {
		// The ids of OAuth and its kin belong to applications.
		if start, ok := bytes.CutSuffix(letters, []byte(end)); ok && !bytes.HasSuffix(start, []byte("auth")) {
			return true
		}
	}
	return false
}

// splitWords appends the lower-case words of name: runs of letters, split
// where a capital follows a small letter, and compounds of known words split
// into these.
func splitWords(dst []string, name string) []string {
	start := -1
	end := func(i int) {
		if start >= 0 {
			dst = splitCompound(dst, strings.ToLower(name[start:i]))
			start = -1
		}
	}
	for i := range len(name) {
		c := name[i]
		small, capital := isSmall(c), isCapital(c)
		if !small && !capital || capital && i > 0 && isSmall(name[i-1]) {
			end(i)
		}
		if start < 0 && (small || capital) {
			start = i
		}
	}
	end(len(name))
	return splitLast(dst)
}

// lastStarts are the beginnings of compounds that tell of people or of what they use, whatever
// comes behind, as in devicetier and userageclass. In front of other words such a compound
// is more often a brand, as in mobilepay and customerio.
var lastStarts = [...]string{"device", "machine", "computer", "hardware", "browser", "client", "visitor", "subscriber", "customer",
	"user", "mobile", "tablet", "session", "keyboard", "country", "timezone", "locale"}

// leastRest is how many letters stand behind one of lastStarts: fewer make it plural, or
// another word, as in machinery.
const leastRest = 3

// splitLast splits the last of words, if it is unknown, behind one of lastStarts; and before
// it, if known words follow, as in splitsdkmachinename.
func splitLast(words []string) []string {
	n := len(words) - 1
	if n < 0 {
		return words
	}
	last := words[n]
	if _, known := lexicon[last]; known {
		return words
	}
	for _, start := range lastStarts {
		before, rest, ok := strings.Cut(last, start)
		switch {
		case !ok || rest == "":
		case before == "" && len(rest) >= leastRest:
			return append(words[:n], start, rest)
		case before != "" && isCompound(rest):
			return splitCompound(append(words[:n], before, start), rest)
		}
	}
	return words
}

// isCompound reports whether word is made of words that are known.
func isCompound(word string) bool {
	var room [24]string
	return !slices.ContainsFunc(splitCompound(room[:0], word), func(part string) bool {
		_, known := lexicon[part]
		return !known
	})
}

// credentialEnds are the ends of compounds that are credentials, whatever
// stands before, as in skypetoken.
var credentialEnds = [...]string{"token", "secret", "key", "auth", "password", "csrf", "xsrf", "nonce", "signature"}

// compoundEnds are those and the ends of compounds that are programs, people, places, languages
// or times, as in securebrowser, activeterritory and lyratimestamp.
var compoundEnds = append(credentialEnds[:], "timestamp", "browser", "device", "client", "visitor", "subscriber", "user", "username",
	"country", "territory", "region", "regions", "timezone", "locale", "language")

// splitCompound appends to dst the words that word is made of: word itself if it
// is known; else the fewest known words that make it up, with an x before them if
// need be, as in Xclientip; else what stands before one of [compoundEnds] and that; else
// word as it is.
func splitCompound(dst []string, word string) []string {
	if _, known := lexicon[word]; known || len(word) > 48 {
		return append(dst, word)
	}
	// best[i] is how few words make word[:i], from[i] where the last begins.
	var best, from [49]int
	for i := 1; i <= len(word); i++ {
		best[i] = len(word) + 1
	}
	for j := range word {
		if best[j] > len(word) {
			continue
		}
		at := uint16(0)
		for i := j + 1; i <= len(word); i++ {
			if at = lexiconTree[at].next[word[i-1]-'a']; at == 0 {
				break
			}
			if lexiconTree[at].isWord && best[j]+1 < best[i] && (i-j > 1 || j == 0 && word[0] == 'x') {
				best[i], from[i] = best[j]+1, j
			}
		}
	}
	if best[len(word)] > len(word) {
		for _, end := range compoundEnds {
			if rest, ok := strings.CutSuffix(word, end); ok {
				return append(dst, rest, end)
			}
		}
		return append(dst, word)
	}
	n := len(dst)
	for i := len(word); i > 0; i = from[i] {
		dst = append(dst, word[from[i]:i])
	}
	slices.Reverse(dst[n:])
	return dst
}
