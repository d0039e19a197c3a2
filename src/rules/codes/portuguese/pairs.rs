//! Pares que se confundem.

use super::super::pairs::Pair;

/// Na mesma ordem que em inglês.
pub(in super::super) static PAIRS: &[Pair] = &[
    Pair {
        codes: (1010, 1014),
        differences: &[
            "Quem fala: 1010 vem do cliente, e só dele; 1014 vem do lado do servidor, de um gateway.",
            "Do que se trata: 1010 fala do handshake entre os dois, das extensões nele; 1014 fala do que está atrás do gateway, que o cliente nunca vê.",
            "O que traz: 1010 deve listar na razão as extensões que faltam; para a razão de 1014 nada está prescrito.",
            "Onde olhar: para 1010, em `Sec-WebSocket-Extensions` da requisição e do 101; para 1014, na conexão do gateway com o upstream naquele segundo.",
            "Ambos existem somente depois de um 101. Um servidor que não quer seguir sem a extensão e um gateway cujo upstream está morto durante o handshake respondem com um status HTTP: o primeiro com 4xx, o segundo com 502, 503 ou 504.",
            "Tentar de novo: depois de 1010 toda tentativa falha até que uma configuração mude; depois de 1014 uma tentativa posterior pode dar certo.",
        ],
        when_to_use: &[
            "Envie 1010 de um cliente que não pode trabalhar sem uma extensão, com a lista do que precisa como razão.",
            "Envie 1014 de um gateway que aceitou o WebSocket e depois perdeu o upstream.",
            "Não envie nenhum dos dois para negar acesso: para isso há 1008, 3000 ou um código de 4000 a 4999.",
        ],
    },
    Pair {
        codes: (1006, 1014),
        differences: &[
            "1014 está na rede e foi escolhido por um gateway; 1006 não está em rede nenhuma e significa que ninguém escolheu nada.",
            "O mesmo upstream morto aparece como 1014 atrás de um relay que fala WebSocket, e como 1006 atrás de um proxy de túnel, que só pode cortar a conexão.",
            "Um navegador também informa 1006 quando o gateway respondeu ao handshake com 502: a página não fica sabendo do status.",
        ],
        when_to_use: &[
            "Vendo 1014, olhe atrás do gateway. Vendo 1006, descubra antes, em uma captura, quem encerrou o TCP.",
            "Nunca envie 1006; um relay que o recebeu de um lado envia 1011 ou 1014 ao outro.",
        ],
    },
    Pair {
        codes: (1011, 1014),
        differences: &[
            "1011 diz que o defeito é de quem envia; 1014 diz que está atrás de quem envia.",
            "Toda biblioteca entende 1011. Muitas recusam 1014 e respondem 1002, de modo que o programa nunca fica sabendo dele.",
        ],
        when_to_use: &[
            "De um gateway, envie 1014 aos clientes que o conhecem; a todos os outros, 1011 com uma razão que nomeie o upstream.",
            "De uma aplicação, envie 1011 pelos seus próprios defeitos, e 1014 nunca.",
        ],
    },
    Pair {
        codes: (1001, 1012),
        differences: &[
            "1001 diz que quem envia vai embora e não promete nada; 1012 diz que o serviço vai voltar.",
            "1001 vem dos dois lados, sobretudo de navegadores cuja página foi deixada; 1012 vem só de servidores.",
            "1012 foi registrado depois da RFC 6455, e algumas bibliotecas lhe respondem com 1002; toda biblioteca conhece 1001.",
        ],
        when_to_use: &[
            "Envie 1012 em um reinício se os seus clientes o conhecem e esperam de 5 a 30 segundos antes de voltar; senão, 1001.",
        ],
    },
    Pair {
        codes: (502, 1014),
        differences: &[
            "São o mesmo defeito em momentos diferentes: um gateway não recebeu resposta válida do upstream. Antes do 101 o gateway o diz com HTTP 502, depois com o código de fechamento 1014.",
            "502 pode vir de qualquer gateway; 1014 só de um que fala WebSocket. Um proxy de túnel que perde o upstream depois do 101 corta a conexão, e os dois programas informam 1006.",
            "Um navegador esconde o 502 da página, que vê 1006; o 1014 ele mostra.",
        ],
        when_to_use: &[
            "Um gateway deve conectar primeiro ao upstream e responder 502 se isso falhar: assim o cliente sabe de imediato.",
            "1014 é o certo onde o upstream estava presente durante o handshake e se perdeu depois.",
        ],
    },
    Pair {
        codes: (1005, 1006),
        differences: &[
            "Com 1005 chegou um Close, sem código: o fim foi em ordem. Com 1006 não chegou Close nenhum: não foi.",
            "Nenhum dos dois trafega na rede. Uma API os informa, e navegadores chamam o primeiro de limpo e o segundo não.",
        ],
        when_to_use: &[
            "Nunca envie nenhum dos dois: feche com 1000, ou sem código. Um relay repassa 1005 como um Close vazio, e 1006 como 1011 ou 1014.",
        ],
    },
    Pair {
        codes: (1000, 1001),
        differences: &[
            "1000 diz que o trabalho terminou; 1001 diz que quem envia vai embora, tenha terminado ou não.",
            "Scripts em navegadores podem enviar 1000 e não 1001; o próprio navegador envia 1001 quando se sai da página.",
        ],
        when_to_use: &[
            "Envie 1000 quando a aplicação encerra a sessão, e 1001 quando o programa que a mantém está sendo parado.",
            "Um cliente deve voltar depois de 1001, e não depois de 1000.",
        ],
    },
    Pair {
        codes: (1002, 1010),
        differences: &[
            "1002 acusa o outro lado de uma violação; 1010 não: um servidor é livre para recusar uma extensão.",
            "1002 vem de qualquer um dos lados, a qualquer momento; 1010 vem do cliente, logo depois do handshake.",
            "Uma resposta com uma extensão ou um parâmetro que não foi oferecido é uma violação; os clientes então abortam o handshake, fecham com 1002 ou, como o OkHttp, com 1010.",
        ],
        when_to_use: &[
            "Envie 1010 onde a resposta é legal mas não basta, e 1002 onde um frame viola o protocolo.",
        ],
    },
];
