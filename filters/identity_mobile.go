package filters

// identityMobile lists what mobile networks and their gateways add about
// subscribers and phones.
var identityMobile = []group{
	{identity, "EFF, verizon-x-uidh; accessnow.org, the rise of mobile tracking headers", `
		x-uidh x-acr x-vf-acr x-amobee-1 x-amobee-2 x-amobee-* x-piper-id x-vodafone-* x-vf-*
		x-tmobile-* x-msp-* x-carrier x-carrier-* x-imsi-* x-ct-* x-uid-*
		x-he-* he-msisdn x-tariff x-tariff-*`},
	{identity, "Mulliner, Privacy Leaks in Mobile Phone Internet Access, ICIN 2010", `msisdn x-msisdn
		x-nokia-msisdn x-wap-msisdn x-h3g-msisdn x-h3g-party-id x-h3g-* x-fh-msisdn x-bam-msisdn
		x-wte-msisdn x-msp-msisdn y-msisdn i-msisdn imisdn mscope-msisdn user-identity-forward-msisdn
		user-identity-forward-* x-network-info x-network-* x-wap-network-client-msisdn
		x-wap-network-client-ip x-wap-network-client-* x-imsi imsi x-imei imei x-mdn mdn x-min x-esn
		x-meid x-iccid tm-user-id tm-* x-hts-clid x-hts-* x-mobile-number x-phone-number x-orange-id
		x-orange-rat x-orange-roaming x-orange-* x-ee-client-ip x-ee-brand-id x-ee-* x-o2-* x-sdc-*
		x-mtn-* x-telcel-* x-rogers-* x-turbopage x-ggsnip x-sgsnip x-gprs-* x-slipstream-username
		x-carrier-magic x-called-station-id x-calling-station-id x-rat-type x-apn apn`},
	{identity, "Openwave UP.Link gateway", `x-up-calling-line-id x-up-subno x-up-subscriber-*
		x-up-subscriber-cos x-up-devcap-* x-up-uplink x-up-bearer-type x-up-bear-type x-up-forwarded-for
		x-up-wappush-* x-up-txid x-up-signdata x-up-proxy-* x-up-fax-* x-up-ticket x-up-cookie
		x-up-wtls-* x-up-host x-up-* x-opwv-* x-opwv-ddm-*`},
	{identity, "Nokia and further WAP gateways", `x-nokia-* x-nokiabrowser-* x-wap-profile
		x-wap-profile-diff x-wap-profile-* x-wap-client-* x-wap-clientid x-wap-* wap-* profile
		profile-diff x-jinny-* x-jinny.cid x-comverse-* x-huawei-nasip x-huawei-* x-zte-* x-ztgo-*
		x-ericsson-* x-mobile-gateway x-mobile-* x-operator-domain x-operator-* x-bearer-type
		bearer-type bearer-indication x-bearer-* x-radius-* x-roaming x-roaming-* charging-id
		charging-characteristics accounting-session-id x-accounting-* x-charging-* x-wsb-* cli
		x-party-id x-mcc-mnc x-sub-id x-subno x-subscriber-info x-online-host x-source-id x-drutt-*
		x-gateway-id x-openwave-* x-bytemobile-* x-flash-networks-* x-vasgw-* x-dtac-* x-ais-*
		x-airtel-* x-jio-* x-vimpelcom-* x-mts-* x-beeline-* x-megafon-* x-3gpp-* 3gpp-*`},
	{identity, "what forums and portals collected of networks and handsets (github.com/serbanghita/Mobile-Detect and its kin)", `
		mvno ident ident-user contractid operatorid servicecontrolinfo qpr-loop hname hname1 hname2 hname3 lbs-zoneid
		vwc-is-parent modem afl t-ua traffic-usage-message uplinkbandwidth downlinkbandwidth roamingoutflag
		x-nai-* x-pcs-* x-cspire-* x-palm-* x-thu-* x-mms-* x-pdp-* pdp-ip ue-application-type x-icm-a x-access-subnym
		j-es-us x-swnsurlprotocol x-rating-group x-mobnotes-* x-accept-encoding-wnproxy x-i-5-* x-av-*`},
	{identity, "headers of networks in Lightspeed's and Mulliner's collections", `hpid uip x-ywblco-uip x-nx-clip
		x-gcs-* x-o2gw-* x-tango-* x-ttdonation x-vfprovider x-vfstatus x-accesstype x-access-type
		x-blackberry-*`},
	{identity, "RFC 7315 and 3GPP TS 24.229: SIP fields sent over HTTP", `p-asserted-identity
		p-preferred-identity p-access-network-info p-charging-vector p-visited-network-id
		x-3gpp-intended-identity x-3gpp-asserted-identity`},
	{identity, "Japanese networks: i-mode, EZweb, SoftBank, Willcom", `x-dcmguid x-jphone-* x-em-uid
		x-softbank-* x-au-* x-ezweb-* x-willcom-*`},
	{identity, "developers.facebook.com, Free Basics: what its proxy tells of a subscriber", `x-iorg-*`},
	{identity, "BlackBerry and Sprint", `rim-device-id rim-device-email rim-* x-rim-* x-sprint-* clientid
		x-clientid`},
	{identity, "digital rights management and media players", `drm-version x-drm-device-* x-getzip
		x-playlist-gen accelerometer pnp supportsclientid playerid player-id x-player-id
		playback-session-id x-roku-* x-roku-reserved-* x-plex-device* x-plex-platform*
		x-plex-product x-plex-version x-plex-session-* x-plex-username x-chromecast-*
		cast-device-capabilities`},
}
