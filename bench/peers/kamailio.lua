-- The routing of kamailio.cfg, step by step, for Kamailio's Lua interface (app_lua, KEMI).

local REALM = "bench.example"

local function is_authenticated()
    return KSR.auth.pv_auth_check(REALM, "pw-" .. KSR.kx.gete_au(), 0, 1) > 0
end

local function register()
    if not KSR.is_myself_ruri() then
        KSR.sl.sl_send_reply(403, "Not Our Domain")
        return
    end
    if KSR.auth then
        if not is_authenticated() then
            KSR.auth.auth_challenge(REALM, 1)
            return
        end
    end
    KSR.registrar.save("location", 0)
end

local function within_dialog()
    if KSR.rr.loose_route() > 0 then
        KSR.tm.t_relay()
    elseif KSR.is_ACK() then
        if KSR.tm.t_check_trans() > 0 then
            KSR.tm.t_relay()
        end
    else
        KSR.sl.sl_send_reply(481, "Call Does Not Exist")
    end
end

local function call()
    if not KSR.is_myself_ruri() then
        KSR.sl.sl_send_reply(403, "Not Our Domain")
        return
    end
    if KSR.auth then
        if KSR.tm.t_check_trans() == 0 then
            return
        end
        if not is_authenticated() then
            KSR.auth.auth_challenge(REALM, 1)
            return
        end
        KSR.auth.consume_credentials()
    end
    if KSR.registrar.lookup("location") < 0 then
        KSR.sl.sl_send_reply(404, "Not Registered")
        return
    end
    KSR.rr.record_route()
    KSR.tm.t_relay()
end

function ksr_request_route()
    if KSR.is_REGISTER() then
        register()
    elseif KSR.is_OPTIONS() and KSR.is_myself_ruri() then
        KSR.sl.sl_send_reply(200, "OK")
    elseif KSR.maxfwd.process_maxfwd(10) < 0 then
        KSR.sl.sl_send_reply(483, "Too Many Hops")
    elseif KSR.siputils.has_totag() > 0 then
        within_dialog()
    elseif KSR.is_CANCEL() then
        if KSR.tm.t_check_trans() > 0 then
            KSR.tm.t_relay()
        end
    else
        call()
    end
end
